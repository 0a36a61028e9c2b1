"""`auscult classify`: recordings, folders and the microphone through an int8 model, as a device would hear them."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lungsound.command import options
from lungsound.command.console import print_json
from lungsound.command.usage import refuse_ignored
from lungsound.errors import InputError, on_a_screen
from lungsound.files.cache import cache_folder
from lungsound.files.record import Range
from lungsound.labels import NOTICE
from lungsound.terminal import activity, err, out

if TYPE_CHECKING:  # numpy and soundfile, which help need not wait for
    from auscult.classify.answer import Answer
    from auscult.classify.engine import Engine
    from auscult.classify.recordings import Recording
    from export.bundle.opening import Bundle

LISTEN = Range(0.1, 1e7)


def classify_command(
    context: typer.Context,
    sources: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE|FOLDER|-...", help="Recordings, folders of them, or - for a WAV on stdin."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model", metavar="NAME|BUNDLE", help="One of `auscult models`, the first if nobody chooses, or a bundle."
        ),
    ] = None,
    engine: Annotated[
        str, typer.Option(help="litert, or c: the generated C, built for this computer. The answer is the same.")
    ] = "litert",
    rounding: Annotated[
        str, typer.Option(help="single as XNNPACK, double as LiteRT's reference kernels (ten times slower).")
    ] = "single",
    csv: Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Write the windows as a table.")] = None,
    audacity: Annotated[
        Path | None,
        typer.Option("--audacity", metavar="FOLDER", help="Write the events as a label track, NAME.txt, a recording."),
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option("--picture", metavar="FOLDER", help="Draw log-mel, events and probabilities, NAME.png, each."),
    ] = None,
    live: Annotated[bool, typer.Option("--live", help="Listen to the microphone until Ctrl-C.")] = False,
    microphone: Annotated[
        str | None, typer.Option("--microphone", metavar="NAME|NUMBER", help="With --live: which one.")
    ] = None,
    listen: Annotated[
        float | None, options.number(LISTEN, "With --live: seconds to listen, if not without end.", "--for")
    ] = None,
    json_output: options.Json = False,
) -> None:
    """Say which lung sounds an int8 model hears: research use; not a diagnosis.

    Windows slide over each recording from its beginning, as on a device; a label is given where the model's output
    reaches its threshold. Windows that carry a label, one after the other, are an event. A recording that cannot be
    read is named, the others go on, and the exit code is 1. Probabilities are those of the model, and no more certain
    than it is.

    JSON keys: notice, model, engine, rounding, labels, thresholds (probabilities), files (a list: file, seconds, labels
    (that at least one window is given), events (a list: label, start, end, probability), windows (a list: start, end,
    labels, probability (by label)), notes), failed (sentences).
    """
    if live:
        refuse_ignored(context, ["sources", "picture"], "means nothing with --live; leave it out")
    else:
        refuse_ignored(context, ["microphone", "listen"], "means something with --live alone")
        if not sources:
            raise typer.BadParameter("name a recording, a folder, - or --live", param_hint="FILE|FOLDER|-")
    with activity() as doing:
        doing("loading the model")
        from auscult.classify.engine import open_engine
        from auscult.models.shipped import open_model

        name, bundle = open_model(model)
        found = open_engine(bundle, engine, rounding, cache_folder())
    if bundle.manifest.failed is not None:
        _tell("note", f"{name} failed its gate and was written by force: {bundle.manifest.failed}")
    faults = list[str]()
    with _sound(sources or [], live, faults) as recordings:
        from auscult.classify.written import written

        labels = bundle.manifest.listening.labels
        with written(recordings, labels, csv, audacity, picture) as write:
            if live:
                answers = [_live(found, bundle, microphone, listen, shown=not json_output)]
                write(answers[0], 0)
            else:
                answers = _answers(found, bundle, recordings, write, faults)
    if json_output:
        print_json(_facts(bundle, name, engine, rounding, answers, faults))
    else:
        _print(answers, name, faults)
    if faults:
        raise typer.Exit(1)


def _sound(sources: list[Path], live: bool, faults: list[str]) -> "AbstractContextManager[list[Recording]]":
    from auscult.classify.live import NAME
    from auscult.classify.recordings import Recording, recordings_of

    return nullcontext([Recording(Path(NAME), NAME, Path(NAME))]) if live else recordings_of(sources, faults)


def _live(engine: "Engine", bundle: "Bundle", name: str | None, seconds: float | None, *, shown: bool) -> "Answer":
    from auscult.classify.live import classify_live, microphone

    sound = microphone(bundle.manifest.listening.logmel.sample_rate, name, seconds)
    return classify_live(engine, bundle.manifest, sound, shown=shown)


def _answers(
    engine: "Engine",
    bundle: "Bundle",
    recordings: "list[Recording]",
    write: "Callable[[Answer, int], None]",
    faults: list[str],
) -> "list[Answer]":
    """Classify recordings; of one alone a fault is raised, of several each is told and kept."""
    from auscult.classify.recordings import classify

    answers: list[Answer] = []
    alone = len(recordings) + len(faults) == 1
    for fault in faults:
        _tell("error", fault)
    with activity() as doing:
        for place, recording in enumerate(recordings):
            of_all = "" if alone else f"{place + 1} of {len(recordings)}: "
            try:
                answer = classify(engine, bundle.manifest, recording, of_all, doing)
            except InputError as error:
                if alone:
                    raise
                faults.append(str(error))
                _tell("error", str(error))
                continue
            for note in answer.notes:
                _tell("note", note)
            write(answer, place)
            answers.append(answer)
    return answers


def _tell(kind: str, sentence: str) -> None:
    style = {"error": "bold red", "note": "yellow"}[kind]
    err.print(f"{kind}: {on_a_screen(sentence)}", style=style, markup=False, highlight=False)


def _facts(
    bundle: "Bundle", name: str, engine: str, rounding: str, answers: "list[Answer]", faults: list[str]
) -> dict[str, Any]:
    import numpy as np

    from export.bundle.runtimes import probabilities

    manifest = bundle.manifest
    return {
        "notice": NOTICE,
        "model": name,
        "engine": engine,
        "rounding": rounding,
        "labels": manifest.listening.labels,
        "thresholds": probabilities(np.asarray(manifest.thresholds)).tolist(),
        "files": [answer.facts() for answer in answers],
        "failed": faults,
    }


def _print(answers: "list[Answer]", name: str, faults: list[str]) -> None:
    from auscult.classify.tables import print_answers

    print_answers(answers, name)
    if faults:
        out.print(f"not classified: {len(faults)} of {len(answers) + len(faults)}", style="bold", highlight=False)
