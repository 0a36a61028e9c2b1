"""`auscult demo`: the whole chain on the embedded synthetic corpus, to a table and a picture."""

import statistics
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from rich.table import Table

from auscult.bench import bench
from auscult.evaluate import evaluate, open_classifier, store_predictions
from auscult.picture import draw, richest_recording
from distill.settings import DistillSettings
from distill.training import distill
from export.command import export_run
from lungsound.command import options
from lungsound.command.console import print_json
from lungsound.command.report import figure, figures_table
from lungsound.corpora.selection import Selection
from lungsound.files.cache import cache_folder
from lungsound.terminal import activity, err, out, print_table
from lungsound.training.data import DataOptions
from lungsound.training.runs import Run, new_run_folder
from students.student import Student, StudentConfig
from teachers.settings import FinetuneSettings
from teachers.teacher import Teacher
from teachers.training import finetuned

TEACHER = FinetuneSettings()
STUDENT = DistillSettings(None, student=StudentConfig(width=0.125))
PROTOCOL = "stream"


def demo_command(runs: options.Runs = Path("runs"), json_output: options.Json = False) -> None:
    """Run the whole chain on the embedded synthetic corpus.

    Synthetic recordings, a tiny teacher trained from scratch, a CNN6 student of an eighth of the width distilled
    from it, an int8 bundle, their scores on the test part, and a picture. Every figure is of a synthetic corpus.

    JSON keys: run, bundle, picture, synthetic, protocol, rows (a list: model, n, sp, se, score, auroc, kilobytes,
    latency_ms).
    """
    cache = cache_folder()
    taught = finetuned(TEACHER, runs, cache)
    folder = new_run_folder(runs, "demo")
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
    if json_output:
        found = {"run": str(folder), "bundle": str(bundle.path), "picture": str(picture)}
        print_json(found | {"synthetic": True, "protocol": PROTOCOL, "rows": rows})
        return
    print_table(demo_table(rows))
    out.print(f"run: {folder}\nbundle: {bundle.path}\npicture: {picture}", highlight=False)


def draw_richest(run: Run, selection: Selection) -> Path:
    """Draw the test recording whose windows vary most in their labels into the run folder."""
    windows = selection.windows("test", [PROTOCOL], run.listening)
    recording = richest_recording(windows, run.listening.labels)
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
    store_predictions(result, target / "evaluation", classifier.name)
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


def demo_table(rows: list[dict[str, Any]]) -> Table:
    """Return the table of what the demo measured, a row a model."""
    title = f"synthetic corpus, test, {PROTOCOL}: {rows[0]['n']} windows; latency of one window, one thread"
    table = figures_table(title, "", "Sp", "Se", "Score", "AUROC\nany", "KB", "ms")
    for row in rows:
        scores = [figure(row[name]) for name in ("sp", "se", "score", "auroc")]
        table.add_row(row["model"], *scores, f"{row['kilobytes']:.0f}", f"{row['latency_ms']:.2f}")
    return table
