"""Tables cut nothing: not on a terminal of 80 columns, not on a narrow one, not in a pipe."""

import io

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from rich.table import Table

from auscult import bench, demo, recipes, runs
from auscult.ledger import printing
from auscult.ledger.evaluation import Evaluation
from export.bundle import answer as export
from firmware_bridge import bench_target
from firmware_bridge import command as firmware
from firmware_bridge.device.targets import targets
from lungsound import terminal
from lungsound.command.recipes import shipped
from lungsound.command.report import scores_table
from lungsound.scores.evaluation import TRAINED, predictions_table
from teachers import command as teachers
from teachers.encoder import encoders

SCORES = {
    "n": 1234,
    **dict.fromkeys(("sp", "se", "score", "se_any", "score_any"), 0.123),
    "auroc": dict.fromkeys(("crackle", "wheeze", "fine_crackle", "rhonchus", "any"), 0.456),
}
ROW = {"title": "LiteRT int8, XNNPACK", "bytes": 3289123, "ratio": 12.34, "added_bytes": 123456789}
ROW |= dict.fromkeys(("median_ms", "p5_ms", "p95_ms"), 123.456)
BENCH = {"processor": "A Processor of Some Length @ 2.00GHz", "threads": 2, "runs": 100, "rows": {"a": ROW}}
MODEL = {"model": "student, int8, single rounding", "n": 1234, "kilobytes": 3289.1, "latency_ms": 123.45}
MODEL |= dict.fromkeys(("sp", "se", "score", "auroc"), 0.987)
RUN = {"name": "cnn6-from-m2d-tiny-20261127-153627", "kind": "student", "finished": "2026-11-27T15:36:27+00:00"}
RUN |= {"data": ["sprsound:/somewhere"], "validation": {"score": 0.75, "auroc": {"crackle": 0.91, "any": 0.935}}}
GROUPS = {"recording": "r", "path": "", "end": 4.0, "patient": "p", "event_type": "", "record_type": "Normal"}
WINDOWS = pd.DataFrame(
    [
        {"corpus": "sprsound", "start": 4.0 * place, "crackle": place % 2, "fine_crackle": place % 3 // 2, **GROUPS}
        | {"site": "left posterior", "device": device, "age": age, "sex": "F", TRAINED: place % 2}
        for place, (device, age) in enumerate([("Yunting II", 3), ("Littmann Classic II", np.nan)] * 6)
    ]
)
LOGITS = np.random.default_rng(0).normal(size=(len(WINDOWS), 2))
EVALUATION = Evaluation(
    "student, int8, single rounding", "sprsound", "intra", "stream", True, ("crackle", "fine_crackle"), (0.0, 0.0),
    predictions_table(WINDOWS, LOGITS, (LOGITS > 0).astype(int), ("crackle", "fine_crackle")),
    WINDOWS[["corpus", "recording", "start", "end", "crackle", "fine_crackle"]], temperature=1.25,
)  # fmt: skip
TARGET = {
    "path": "a/bundle", "target": "cortex-m4", "kernels": "dsp8", "rounding": "double", "differing_bytes": 0,
    "output_bytes": 10, "codes": 39680, "differing_codes": 0, "stack_bytes": 1234, "network_bytes": 12345,
    "front_end_bytes": 1234, "ram_bytes": 98765, "listener_bytes": {"one_window": 12345, "overlapping": 54321},
    "constant_bytes": 123456, "code_bytes": 65432, "flash_bytes": 188888, "instructions": 28300000,
    "front_end_instructions": 2600000, "network_instructions": 25700000, "worst_push_instructions": 3000000,
    "worst_call_instructions": 3100000, "instructions_per_second": 7700000, "windows": 5, "overlapping": False,
}  # fmt: skip

PRINTED = {
    "scores": (
        lambda: terminal.print_table(scores_table("x", {"teacher, float": SCORES}, synthetic=True)),
        ["AUROC fine_crackle", "Se any", "0.456"],
    ),
    "evaluate": (
        lambda: printing.print_evaluation(EVALUATION, full=True),
        [
            *("student, int8, single rounding: sprsound intra, stream", "AUROC fine_crackle", "by recording"),
            *("within devices, the mean of 2", "alarms an hour of normal breathing", "temperature 1.25"),
            *("Littmann Classic II", "preschool child (2 to 5)", "unknown", "of training, too", "Brier score"),
        ],
    ),
    "recipes": (recipes.recipes_command, shipped()),
    "teachers": (teachers.teachers_command, [card.name for encoder in encoders().values() for card in encoder.cards]),
    "targets": (firmware.targets_command, [target.name for target in targets()]),
    "bench": (
        lambda: terminal.print_table(bench.bench_table(BENCH)),
        ["LiteRT int8, XNNPACK", "123.456 to 123.456", "3289.1"],
    ),
    "bench --target": (lambda: bench_target.print_bench(TARGET), ["instructions of the worst push", "28,300,000"]),
    "demo": (
        lambda: terminal.print_table(demo.demo_table([MODEL], "stream")),
        ["student, int8, single rounding", "0.987", "3289", "123.45"],
    ),
    "runs": (
        lambda: terminal.print_table(runs.runs_table("student", [RUN])),
        ["cnn6-from-m2d-tiny-20261127-153627", "2026-11-27", "0.750", "0.910", "sprsound"],
    ),
}


@pytest.fixture(params=PRINTED)
def printed(request):
    """A function that prints a table, and what must be whole in it."""
    return PRINTED[request.param]


def on_a_terminal(show, columns: int, monkeypatch) -> str:
    """What a terminal of so many columns is sent, without its colours."""
    file = io.StringIO()
    screen = Console(force_terminal=True, color_system=None, width=columns, file=file, soft_wrap=True)
    for module in (terminal, printing, recipes, teachers, firmware):
        if hasattr(module, "out"):
            monkeypatch.setattr(module, "out", screen)
    if columns < 80:
        monkeypatch.setattr(terminal, "_pipe", Console(width=terminal._pipe.width, file=file, color_system=None))
    show()
    return file.getvalue()


def test_80_columns_are_enough(printed, monkeypatch):
    show, names = printed
    said = on_a_terminal(show, 80, monkeypatch)
    assert "…" not in said
    assert [name for name in names if name not in said] == []


def test_a_narrow_terminal_cuts_nothing(printed, monkeypatch):
    show, names = printed
    said = on_a_terminal(show, 40, monkeypatch)
    assert "…" not in said
    assert [name for name in names if name not in said] == []


def test_a_pipe_gets_whole_lines_without_rules(printed, capsys):
    show, names = printed
    show()
    said = capsys.readouterr().out
    assert "…" not in said
    assert not any("─" <= letter <= "╿" for letter in said), "box drawing"
    assert "\x1b" not in said
    assert [name for name in names if name not in said] == []


def test_a_row_in_a_pipe_is_one_line(capsys):
    table = Table("name", "words", title="a title")
    table.add_row("a" * 100, "many words " * 40)
    terminal.print_table(table)
    title, head, row = capsys.readouterr().out.splitlines()
    assert title == "a title"
    assert head.split() == ["name", "words"]
    assert row.split() == ["a" * 100, *("many words " * 40).split()]


def test_a_terminal_folds_words_and_keeps_names(monkeypatch):
    table = Table("name", "words")
    table.add_row("a" * 40, "many words " * 10)
    said = on_a_terminal(lambda: terminal.print_table(table), 80, monkeypatch)
    assert all(len(line) <= 80 for line in said.splitlines())
    assert "a" * 40 in said
    assert said.split().count("words") == 1 + 10


@pytest.fixture
def bundle_table(small_bundle):
    return lambda: export.print_export(small_bundle)


def test_the_table_of_an_export_fits(bundle_table, monkeypatch, capsys):
    monkeypatch.setattr(export, "out", terminal.out)
    said = on_a_terminal(bundle_table, 80, monkeypatch)
    for name in ("LiteRT int8, XNNPACK", "onnxruntime int8", "unlike", "mean", "error"):
        assert name in said
    assert all(len(line) <= 80 for line in said.splitlines()[1:])
