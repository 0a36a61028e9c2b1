"""The whole chain on the embedded synthetic corpus: teacher, student, bundle, scores, picture."""

import statistics
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from auscult.bench import bench
from auscult.classify.engine import open_engine
from auscult.classify.recordings import Recording, classify
from auscult.ledger.classifier import open_classifier
from auscult.ledger.evaluation import evaluate
from auscult.ledger.readings import record_reading
from auscult.ledger.stored import predictions_folder, store_evaluation
from auscult.models.shipped import open_model
from auscult.pictures.student import draw, richest_recording
from distill.settings import DistillSettings
from distill.training import distill
from export.command import export_run
from lungsound.corpora.selection import Selection
from lungsound.files.cache import cache_folder
from lungsound.terminal import activity, err
from lungsound.training.data import DataOptions
from lungsound.training.runs import Run, new_run_folder
from students.student import Student, StudentConfig
from teachers.settings import FinetuneSettings
from teachers.teacher import Teacher
from teachers.training import finetuned

TEACHER = FinetuneSettings()
STUDENT = DistillSettings(None, student=StudentConfig(width=0.125))
PROTOCOL = "stream"


def run_chain(runs: Path) -> dict[str, Any]:
    """Train, distil, export, measure, score and draw.

    Parameters
    ----------
    runs : Path
        Folder that holds the runs.

    Returns
    -------
    dict
        The JSON keys of :func:`auscult.demo.demo_command`.
    """
    cache = cache_folder()
    taught = finetuned(TEACHER, runs, cache)
    with new_run_folder(runs, "demo") as folder:
        err.print(f"student: CNN6 of width {STUDENT.student.width:g}, into {folder}", highlight=False)
        run = distill(replace(STUDENT, teacher_run=str(taught.path)), folder, cache)
    with activity() as doing:
        doing("exporting")
        bundle = export_run(run, folder / "bundle")
    selection = DataOptions.of_run(run).select()
    measured = bench(bundle, run=run)["rows"]
    rows = [
        _row(taught.path, selection, taught.weights.stat().st_size, _teacher_latency(taught)),
        _row(folder, selection, run.weights.stat().st_size, measured["torch_float"]["median_ms"]),
        _row(bundle.path, selection, measured["litert_xnnpack"]["bytes"], measured["litert_xnnpack"]["median_ms"]),
    ]
    with activity() as doing:
        doing("drawing")
        picture = draw_richest(run, selection)
        doing("asking a trained model")
        shipped = shipped_says(Path(richest(run, selection)))
    return {
        "run": str(folder),
        "bundle": str(bundle.path),
        "picture": str(picture),
        "synthetic": True,
        "protocol": PROTOCOL,
        "rows": rows,
        "shipped": shipped,
    }


def richest(run: Run, selection: Selection) -> str:
    """Return the path of the test recording whose windows vary most in their labels."""
    return richest_recording(selection.windows("test", [PROTOCOL], run.listening), run.listening.labels)


def shipped_says(recording: Path) -> dict[str, Any]:
    """Return what the trained model in the package, which knows real lungs alone, says of a made-up recording."""
    name, bundle = open_model(None)
    engine = open_engine(bundle, "litert", "single", cache_folder())
    facts = classify(engine, bundle.manifest, Recording.of(recording, recording.parent), "", lambda _: None).facts()
    return {"model": name, "recording": facts["file"], "labels": facts["labels"], "events": facts["events"]}


def draw_richest(run: Run, selection: Selection) -> Path:
    """Draw the test recording whose windows vary most in their labels into the run folder."""
    recording = richest(run, selection)
    corpus = selection.corpora[0]
    events = corpus.events[corpus.events["path"] == recording]
    picture = run.path / "picture.png"
    student = Student.load(run.model, run.weights).eval()
    title = f"{corpus.name} corpus, test recording {Path(recording).stem}"
    draw(student, run.listening, run.thresholds, Path(recording), events, picture, title)
    return picture


def _row(target: Path, selection: Selection, size: int, latency: float) -> dict[str, Any]:
    """Score one model on the test part and store its predictions."""
    classifier = open_classifier(target, "single")
    result = evaluate(classifier, selection, "test", PROTOCOL)
    record_reading(target, result)
    store_evaluation(result, predictions_folder(target))
    return {
        "model": classifier.name,
        **{name: result.scores["windows"][name] for name in ("n", "sp", "se", "score")},
        "auroc": result.scores["windows"]["auroc"]["any"],
        "kilobytes": size / 1000,
        "latency_ms": latency,
    }


def _teacher_latency(run: Run, runs: int = 20) -> float:
    """Return the median milliseconds the teacher takes for one window in torch with one thread."""
    teacher = Teacher.load(run.model, run.weights).eval()
    x = torch.zeros(1, 1, run.listening.frames, run.listening.logmel.n_mels)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    taken = []
    with torch.inference_mode():
        for _ in range(runs):
            started = time.perf_counter()
            teacher(x)
            taken.append(1000 * (time.perf_counter() - started))
    torch.set_num_threads(threads)
    return statistics.median(taken)
