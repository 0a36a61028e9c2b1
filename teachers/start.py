"""What a teacher's training starts from: drawn weights, published ones, or those of a run of one's own."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lungsound.errors import InputError
from lungsound.listening import Listening
from lungsound.logmel import SPECS, LogMelSpec
from lungsound.training.runs import Run
from lungsound.training.weights import load_weights
from teachers.cards import TeacherCard, scratch_card
from teachers.encoder import card_of, config_from, find
from teachers.settings import FinetuneSettings
from teachers.teacher import Teacher, TeacherConfig


@dataclass(frozen=True)
class Start:
    """A teacher before its training.

    Attributes
    ----------
    teacher : Teacher
        With its first weights.
    credit : dict
        What a run stores of them, see :meth:`teachers.cards.TeacherCard.credit`.
    logmel : LogMelSpec or None
        What pre-trained weights expect, statistics included; None from scratch.
    """

    teacher: Teacher
    credit: dict[str, Any]
    logmel: LogMelSpec | None = None


def start_of(settings: FinetuneSettings) -> Start:
    """Make the teacher that a training starts from.

    Raises
    ------
    InputError
        If the name, the size, the weights or the run do not exist or do not fit, the weights listen to another
        log-mel than the settings say, or an encoder shall be frozen that was never trained.
    """
    listening = settings.data.listening()
    if settings.from_run is not None:
        return _from_run(settings, Run.load(Path(settings.from_run)), listening)
    encoder, _ = find(settings.teacher)
    if settings.from_scratch:
        config = encoder.scratch_config(settings.size, listening)
        if settings.freeze:
            raise InputError("an encoder from scratch cannot be frozen; give --size published, --weights or --from-run")
        card = scratch_card(encoder.name, settings.size, settings.data.data)
        return Start(Teacher(_config(settings, config, listening)), card.credit())
    card, path = _published(settings)
    pretrained = encoder.read(path)
    logmel = _heard(path, pretrained.logmel, listening, encoder.also_hears)
    teacher = Teacher(_config(settings, pretrained.config, listening))
    teacher.encoder.load_state_dict(pretrained.state_dict())
    return Start(teacher, card.credit(), logmel)


def run_name(settings: FinetuneSettings) -> str:
    """Return what the run folder of a training is called: what is trained, and from what."""
    if settings.from_run is not None:
        name = f"{Run.load(Path(settings.from_run)).teacher['name']}-continued"
    elif settings.from_scratch:
        return f"{find(settings.teacher)[0].name}-{settings.size}-from-scratch"
    else:
        encoder, _ = find(settings.teacher)
        published = (
            card_of(settings.teacher).name if settings.weights is None else encoder.name_of(Path(settings.weights))
        )
        name = f"{published}-fine-tuned"
    return f"{name}-frozen" if settings.freeze else name


def describe(settings: FinetuneSettings) -> str:
    """Say in words what is trained, and from what."""
    if settings.from_run is not None:
        start = f"from the weights of {settings.from_run}"
    elif settings.from_scratch:
        encoder, card = find(settings.teacher)
        start = f"{encoder.name} of size {settings.size} from scratch"
        start += f", without the weights of {settings.teacher} (--size published has them)" if card else ""
    elif settings.weights is not None:
        start = f"{find(settings.teacher)[0].name} from the published weights in {settings.weights}"
    else:
        start = f"from the published weights {card_of(settings.teacher).name}"
    trained = "fusion and head alone" if settings.freeze else "whole"
    return f"{start}, {trained}, on {', '.join(settings.data.data)}"


def _config(settings: FinetuneSettings, encoder: Any, listening: Listening) -> TeacherConfig:
    return TeacherConfig(encoder, settings.layers, settings.learnable, settings.pooling, len(listening.labels))


def _published(settings: FinetuneSettings) -> tuple[TeacherCard, Path]:
    """Return the card and the file of published weights; a file on disk is credited by its published name."""
    card = card_of(settings.teacher)
    if settings.weights is None:
        return card, card.fetch()
    encoder, path = find(settings.teacher)[0], Path(settings.weights)
    name = encoder.name_of(path)
    known = {other.name: other for other in encoder.cards}
    return known.get(name) or replace(card, name=name, url=path.name, hash=None), path


def _from_run(settings: FinetuneSettings, run: Run, listening: Listening) -> Start:
    """Take the weights of a run: an encoder alone, or a teacher whose head stays where the labels are the same."""
    if run.kind == "student":
        raise InputError(f"{run.path}: the run of a student; name a teacher's or an encoder's")
    if run.kind == "encoder":
        teacher = Teacher(_config(settings, config_from(run.model["encoder"]), listening))
        logmel = _heard(run.path, run.listening.logmel, listening, teacher.encoder.also_hears)
        load_weights(teacher.encoder, run.weights)
    else:
        logmel = _heard(run.path, run.listening.logmel, listening)
        before = TeacherConfig.from_dict(run.model)
        config = _config(settings, before.encoder, listening)
        if replace(config, classes=before.classes, combinations=before.combinations) != before:
            raise InputError(
                f"{run.path}: its teacher fuses layers {before.layers} ({before.pooling}, "
                f"{'learnt' if before.learnable else 'fixed'} weights); a training from it does the same"
            )
        same = run.listening.labels == listening.labels and (settings.loss == "labels") == (before.combinations is None)
        teacher = Teacher(before if same else config)
        load_weights(teacher, run.weights, but=() if same else ("head.",))
    return Start(teacher, run.teacher | {"from_run": str(run.path)}, logmel)


def _heard(source: Path, expected: LogMelSpec, listening: Listening, others: Sequence[str] = ()) -> LogMelSpec | None:
    """Return the log-mel of weights with their statistics; None where it is one of the others."""
    bare, asked = expected.with_statistics(0, 1), listening.logmel
    if asked in [SPECS[name] for name in others] and _grid(asked) == _grid(bare):
        return None
    if bare != listening.logmel:
        name = next((name for name, spec in SPECS.items() if spec == bare), "of the same values")
        raise InputError(f"{source}: expects {bare.sample_rate} Hz; give --logmel {name}")
    return expected


def _grid(logmel: LogMelSpec) -> tuple[int, int, int]:
    """Return what decides the shape of a log-mel."""
    return logmel.sample_rate * logmel.speed, logmel.hop, logmel.n_mels
