"""The `export` command."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from export.bundle.answer import export_answer, print_export
from export.bundle.opening import Bundle, Int8Format
from export.foreign import Foreign, export_module
from export.gate import Strictness, Validation
from lungsound.command import options
from lungsound.command.console import print_json
from lungsound.command.usage import is_given, refuse_ignored
from lungsound.errors import InputError
from lungsound.files.record import Range
from lungsound.listening import PROTOCOLS
from lungsound.logmel import normalise
from lungsound.scores.aims import Aim
from lungsound.terminal import activity
from lungsound.training.runs import Run, newest_run

CALIBRATION = 512
"""Training windows that ranges are measured on."""

EPOCHS = Range(1, 1000)
"""Of a training through int8."""

WINDOWS, PERCENTILE, LEFT = Range(1, 100_000), Range(50.001, 100), Range(0.001, 0.5)

BOTH = list(Int8Format)


def export_command(
    context: typer.Context,
    run: Annotated[Path | None, typer.Argument(help="Folder of a student run; else the newest in RUNS.")] = None,
    int8: Annotated[list[Int8Format], typer.Option("--int8", help="Format of the int8 model; may be repeated.")] = BOTH,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Folder of the bundle; else RUN/bundle.")
    ] = None,
    percentile: Annotated[
        float | None,
        options.number(PERCENTILE, "Let ranges leave out the values above this percentile and below its mirror image."),
    ] = None,
    calibration: Annotated[int, options.number(WINDOWS, "Training windows to measure ranges on.")] = CALIBRATION,
    runs: options.Runs = Path("runs"),
    module: Annotated[
        str | None,
        typer.Option(
            metavar="FILE.py:NAME",
            help="Instead of a run: a Python file, which is EXECUTED, and what makes a torch network in it.",
        ),
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(help="Of --module: its weights, .safetensors or a .pth of tensors alone.")
    ] = None,
    listening: Annotated[
        Path | None,
        typer.Option(help="Of --module: JSON file with listening and thresholds as a bundle's manifest.json has them."),
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CORPUS[:ROOT]",
            help="Where each corpus of the run lies now. Of --module: recordings for ranges and figures, else made-up "
            "sound. May be repeated.",
        ),
    ] = None,
    protocol: options.Protocols = list(PROTOCOLS),  # noqa: B006
    qat: Annotated[
        int | None,
        options.number(EPOCHS, "Epochs of a training through int8 on the --calibration windows, before the .tflite."),
    ] = None,
    aim: Annotated[
        str | None,
        typer.Option(
            metavar="score|sensitivity=X|alarms=Y",
            help="Choose thresholds anew on validation, see `distill --aim`; else those of the training stand.",
        ),
    ] = None,
    abstain: Annotated[
        float | None,
        options.number(
            LEFT, "Let the model say 'listen again', of this share of good validation recordings at most, such as 0.05."
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Write a bundle that fails its gate, marked as failed.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse also what validation cannot show to have lost nothing.")
    ] = False,
    json_output: options.Json = False,
) -> None:
    """Turn a trained student, or a torch network of your own, into a bundle: int8 and float models, manifest, card
    and golden vectors.

    Ranges come from training windows. The bundle is measured against float on the validation windows, its golden
    vectors are replayed, and it is written whole or not at all. Without recordings there are no scores.
    It is refused where a sensitivity (of a label, of any, of the exact class) falls by more than 1.0 point, or the
    Score by more than 0.5, and not by chance: the 95 % interval of the paired fall over patients lies above 0. It has
    passed where the interval's upper end is within that limit; what lies between is unproven, and --strict refuses it.
    With --abstain the bundle and its firmware check each window's signal, and leave open what scores do not tell.
    A student with a learnt front end hears sound: its bundle holds a float ONNX model alone, held against torch.

    With --module the network maps one normalised log-mel [1, 1, frames, mels] to logits [1, labels]; the log-mel, the
    window and the labels stand in --listening. The Python file is run on this machine: name one that you trust.

    JSON keys: bundle (folder), run (folder; null with --module), synthetic, files (bytes by name), parameters, labels,
    thresholds, aim (what they were chosen for; or null), threshold_codes (null without .tflite), ranges (of: method,
    windows), validation (on: windows, int8 (by runtime: differing_decisions (share), max_error (of a probability),
    mean_error; with recordings: n, auroc (by label), sensitivity (by label), specificity (by label), f1 (by label),
    balanced_accuracy; of crackle and wheeze: sp, se, score, se_any, score_any); with recordings: float (with: n, auroc
    (by label), sensitivity (by label), specificity (by label), f1 (by label), balanced_accuracy; of crackle and wheeze:
    sp, se, score, se_any, score_any); of a student that hears sound: onnx_error (of a probability against torch)), gate
    (null without int8, or: verdict (passed or unproven or failed or unmeasured), reasons (sentences), patients, falls
    (a list: model, figure, float, int8, fall, interval, patients, limit)), flips (null without recordings, or windows
    that float has right and int8 loses: model, class, windows, had, lost, won, recordings (a list: recording,
    windows)), abstention (null without --abstain, or: signal (the check's numbers), certain (of: absent_below (codes
    by label), present_from (codes by label)), missed (promised share by label of those who have it), false (promised
    share by label of those who lack it), recordings (that it was calibrated on), patients, listen_again (share of these
    recordings)).
    """
    if force and strict:
        raise typer.BadParameter("ask for one of --force and --strict", param_hint="--force")
    if aim is not None:
        Aim.parse(aim)
    strictness = Strictness.FORCE if force else Strictness.STRICT if strict else Strictness.USUAL
    with activity() as doing:
        doing("exporting")
        if module is None:
            ignored = ("weights", "listening", "protocol")
            refuse_ignored(context, ignored, "ignored without --module; leave it out")
            if run is not None:
                refuse_ignored(context, ["runs"], "ignored with RUN; leave it out")
            chosen = Run.load(run) if run is not None else newest_run(runs, "student")
            if chosen.model.get("front_end"):
                of_int8 = ("percentile", "calibration", "qat", "force", "strict")
                refuse_ignored(context, of_int8, "ignored where there is no int8; leave it out")
            formats = int8 if is_given(context, "int8") else None
            folder = output or chosen.path / "bundle"
            bundle = export_run(
                chosen, folder, formats, percentile, calibration, data or (), strictness, aim, abstain, qat
            )
        else:
            refuse_ignored(context, ("run", "runs", "qat"), "ignored with --module; leave it out")
            if listening is None or output is None:
                raise InputError("--module needs --listening FILE.json and --output FOLDER; give both")
            if not data:
                refuse_ignored(context, ("protocol", "calibration", "aim"), "ignored without --data; leave it out")
            foreign = Foreign(module, weights, listening, tuple(data or ()), tuple(protocol), aim)
            bundle = export_module(foreign, output, int8, percentile, calibration, strictness, abstain)
    if json_output:
        print_json(export_answer(None if module else chosen, bundle))
        return
    print_export(bundle)


def export_run(
    run: Run,
    folder: Path,
    formats: Collection[Int8Format] | None = None,
    percentile: float | None = None,
    calibration: int = CALIBRATION,
    data: Sequence[str] = (),
    strictness: Strictness = Strictness.USUAL,
    aim: str | None = None,
    abstain: float | None = None,
    qat: int | None = None,
) -> Bundle:
    """Export a run's student, reading training and validation windows from its corpora.

    Parameters
    ----------
    run : Run
        Of a student.
    folder : Path
        Where the bundle shall stand.
    formats : collection of Int8Format, optional
        Which int8 models; by default all that the student can have, none where it hears sound.
    percentile : float, optional
        See :func:`export.making.write_bundle`.
    calibration : int
        Training windows to measure ranges on, drawn by the run's seed.
    data : sequence of str
        Where its corpora lie now, as ``name:root``; where they lay, if there is none.
    strictness : Strictness
        What the gate lets pass.
    aim : str, optional
        Choose thresholds anew for it, see :class:`lungsound.scores.aims.Aim`.
    abstain : float, optional
        See :func:`export.making.write_bundle`.
    qat : int, optional
        Epochs of a training through int8, see :func:`export.tflite.aware.aware_tflite`; of the .tflite alone.

    Raises
    ------
    InputError
        If the run is no student's, its corpora have changed, int8 is asked of a student that hears sound, or
        :func:`export.making.write_bundle` or :func:`export.sound.write_sound_bundle` refuses.
    """
    from export.making import Origin, refuse_to_replace, write_bundle
    from export.sound import learnt_front_end, write_sound_bundle
    from export.tflite.aware import Aware
    from lungsound.features import heard_windows, pcm_windows
    from lungsound.training.data import DataOptions
    from students.student import Student

    if run.kind != "student":
        article = "an" if run.kind == "encoder" else "a"
        raise InputError(f"{run.path}: the run of {article} {run.kind}; name the folder of a student's")
    run.decisive()
    refuse_to_replace(folder)
    student = Student.load(run.model, run.weights).eval()
    student.check_window(run.listening)
    if student.hears_sound and formats:
        raise InputError(
            f"{run.path}: {learnt_front_end(student)}, and stays float; leave --int8 out for its ONNX model, or for "
            "int8 and firmware train with --front-end logmel"
        )
    selection = DataOptions.of_run(run, data).select()
    if selection.hash != run.split["hash"]:
        where = ", ".join(str(corpus.root) for corpus in selection.corpora)
        raise InputError(
            f"{run.path}: its corpora or their split have changed since the training, or {where} is another corpus; "
            "name its own with --data, or train again"
        )
    listening = run.listening
    logmel, rate, seconds = listening.logmel, listening.logmel.sample_rate, listening.seconds
    train, validation = (selection.windows(part, run.protocols, listening) for part in ("train", "validation"))
    heard = Validation(
        pcm_windows(validation, rate, seconds),
        validation[list(listening.labels)].to_numpy(np.int64),
        lambda part: heard_windows(validation.iloc[part], logmel, seconds),
        validation,
    )
    if student.hears_sound:
        return write_sound_bundle(folder, Origin.of_run(run, aim), student, heard)
    drawn = train.sample(min(calibration, len(train)), random_state=run.seed)
    features = normalise(logmel, heard_windows(drawn, logmel, seconds)).astype(np.float32)
    if formats is None:
        formats = BOTH if qat is None else [Int8Format.TFLITE]
    aware = None if qat is None else Aware(qat, run.seed)
    origin = Origin.of_run(run, aim)
    return write_bundle(
        folder, origin, student, features, heard, formats, percentile, strictness, abstain=abstain, aware=aware
    )
