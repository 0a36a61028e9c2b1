"""From a network that nobody here wrote to a bundle: their file, their log-mel, their recordings or made-up sound."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from export.bundle.golden import golden_pcm
from export.bundle.opening import Bundle, Int8Format
from export.gate import Strictness, Validation
from lungsound.errors import InputError
from lungsound.front_end import normalised_logmel
from lungsound.listening import Listening, read_listening
from lungsound.logmel import normalise
from lungsound.terminal import err

if TYPE_CHECKING:
    from torch import nn

_SEED = 0
_MADE_UP_RANGES, _MADE_UP_VALIDATION = range(1, 9), range(100, 104)
"""Seeds of the made-up sound, eight windows each; the golden vectors have 0."""


@dataclass(frozen=True)
class Foreign:
    """A network from elsewhere.

    Attributes
    ----------
    module : str
        ``FILE.py:NAME``, see :func:`export.module.load_module`.
    weights : Path or None
        File of its weights.
    listening : Path
        File that :func:`lungsound.listening.read_listening` reads.
    data : tuple of str
        Corpora as ``name:root``; none for made-up sound.
    protocols : tuple of str
        How their sound is cut.
    aim : str or None
        What thresholds are chosen for on them; those of `listening` stand without it.
    """

    module: str
    weights: Path | None
    listening: Path
    data: tuple[str, ...] = ()
    protocols: tuple[str, ...] = ("stream",)
    aim: str | None = None


def export_module(
    foreign: Foreign,
    folder: Path,
    formats: Collection[Int8Format],
    percentile: float | None,
    calibration: int,
    strictness: Strictness = Strictness.USUAL,
    abstain: float | None = None,
) -> Bundle:
    """Export a network from elsewhere.

    Parameters
    ----------
    foreign : Foreign
        The network; its Python file is executed.
    folder : Path
        Where the bundle shall stand.
    formats, percentile
        See :func:`export.making.write_bundle`.
    calibration : int
        Windows of recordings to measure ranges on.
    strictness : Strictness
        What the gate lets pass.
    abstain : float, optional
        See :func:`export.making.write_bundle`.

    Raises
    ------
    InputError
        If the network cannot be made or exported, does not fit what it listens to, or
        :func:`export.making.write_bundle` refuses.
    """
    from export.making import Origin, refuse_to_replace, write_bundle
    from export.module import load_module

    refuse_to_replace(folder)
    listening, thresholds = read_listening(foreign.listening)
    network = load_module(foreign.module, foreign.weights)
    _refuse_other_labels(foreign.module, network, listening)
    heard = _recordings(foreign, listening, calibration) if foreign.data else _made_up(listening)
    origin = Origin(
        listening=listening,
        thresholds=thresholds,
        student=_facts(foreign),
        data=tuple(name.partition(":")[0] for name in foreign.data),
        synthetic=heard.synthetic,
        protocols=foreign.protocols if foreign.data else (),
        split=heard.split,
        teacher={"name": "none", "licence": "ask whoever made the network and its weights", "paper": "none"},
        seed=_SEED,
        aim=foreign.aim,
        chosen=foreign.aim is None,
    )
    try:
        return write_bundle(
            folder, origin, network, heard.calibration, heard.validation, formats, percentile, strictness, abstain
        )
    except InputError as error:
        raise InputError(f"{foreign.module}: {error}") from error


@dataclass(frozen=True)
class _Heard:
    """Log-mels for the ranges, windows to hold int8 against float on, and where both come from."""

    calibration: NDArray[np.float32]
    validation: Validation
    synthetic: bool
    split: dict[str, Any]


def _recordings(foreign: Foreign, listening: Listening, calibration: int) -> _Heard:
    from lungsound.features import heard_windows, pcm_windows
    from lungsound.training.data import DataOptions

    options = DataOptions(foreign.data, foreign.protocols)
    selection = options.select()
    train, validation = (selection.windows(part, foreign.protocols, listening) for part in ("train", "validation"))
    drawn = train.sample(min(calibration, len(train)), random_state=_SEED)
    logmel, rate, seconds = listening.logmel, listening.logmel.sample_rate, listening.seconds
    features = normalise(logmel, heard_windows(drawn, logmel, seconds)).astype(np.float32)
    truth = validation[list(listening.labels)].to_numpy(np.int64)
    split = {key: options.split_record(selection)[key] for key in ("name", "hash")}
    heard = Validation(
        pcm_windows(validation, rate, seconds),
        truth,
        lambda part: heard_windows(validation.iloc[part], logmel, seconds),
        validation,
    )
    return _Heard(features, heard, selection.synthetic, split)


def _made_up(listening: Listening) -> _Heard:
    err.print(
        "note: no --data, so ranges come from made-up sound; sound that is louder or otherwise than that saturates",
        style="yellow",
        highlight=False,
    )
    ranges, unseen = (
        np.concatenate([golden_pcm(listening, seed) for seed in seeds])
        for seeds in (_MADE_UP_RANGES, _MADE_UP_VALIDATION)
    )
    features = normalised_logmel(listening, ranges).astype(np.float32)
    return _Heard(features, Validation(unseen, None), False, {"name": "none", "hash": "none"})


def _refuse_other_labels(place: str, network: "nn.Module", listening: Listening) -> None:
    """Refuse a network that does not give a logit a label, or does not take the log-mel."""
    from export.graph.trace import logits_of

    try:
        found = logits_of(network, 1, listening.frames, listening.logmel.n_mels)
    except InputError as error:
        raise InputError(f"{place}: {error}") from error
    if found != len(listening.labels):
        raise InputError(
            f"{place}: the network gives {found} logits for the labels {', '.join(listening.labels)}; "
            "list a label for each in --listening"
        )


def _facts(foreign: Foreign) -> dict[str, Any]:
    """Return what the manifest says of the network; where its files lie on this machine stays here."""
    file, _, name = foreign.module.rpartition(":")
    if foreign.weights is None:
        return {"module": f"{Path(file).name}:{name}", "weights": "as it is made", "sha256": "none"}
    digest = hashlib.sha256(foreign.weights.read_bytes()).hexdigest()
    return {"module": f"{Path(file).name}:{name}", "weights": foreign.weights.name, "sha256": digest}
