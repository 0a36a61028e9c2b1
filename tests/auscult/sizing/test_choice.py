"""`distill --target`: the device's budget chooses the student, and the trained one takes what was promised."""

import json
from pathlib import Path

import pytest

from export.command import export_run
from firmware_bridge.plan.budget import Budget
from firmware_bridge.plan.footprint import Footprint
from firmware_bridge.plan.model import Model
from lungsound.training.runs import Run

M4 = ("distill", "--teacher", "none", "--target", "cortex-m4")


@pytest.mark.slow
def test_what_was_chosen_takes_what_was_promised(auscult, small_options, place, tmp_path, monkeypatch):
    monkeypatch.setattr("auscult.sizing.search.MOST", 8)
    data = ["--data", f"icbhi2017:{place / 'corpus'}", "--seconds", 2, "--validation", 0.34, "--epochs", 1]
    words = [
        "--ram",
        "8K",
        "--flash",
        60_000,
        "--instructions-per-second",
        "9M",
        "--protocol",
        "stream",
        "--runs",
        tmp_path,
        "--json",
    ]
    code, said, told = auscult(*M4, *data, *words)
    assert code == 0, told
    run = Run.load(Path(json.loads(said)["run"]))
    settings = json.loads((run.path / "settings.json").read_text())
    budget, student = settings["budget"], settings["student"]
    assert (budget["target"], budget["ram_bytes"], budget["flash_bytes"]) == ("cortex-m4", 8192, 60_000)
    assert budget["planned_instructions_per_second"] <= budget["instructions_per_second"] == 9_000_000
    assert f"about {budget['planned_instructions_per_second']:,} instructions a second of sound on cortex-m4" in told
    assert f"chosen: cnn6 of width {student['width']:g}, " in told
    assert "the next larger, cnn6 of width" in told
    model = Model.open(export_run(run, tmp_path / "bundle").path)
    trained = Footprint(model, model.plan("dsp8", "double"))
    assert sum(trained.ram.values()) == budget["planned_ram_bytes"] <= 8192
    flash = sum(trained.flash.values())
    assert flash - 32 <= budget["planned_flash_bytes"] <= flash + 1024
    assert Budget(8192, 60_000).fits(trained)


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (["distill", "--ram", "8K"], "--ram"),
        (["distill", "--overlapping"], "--overlapping"),
        (["distill", "--instructions-per-second", "9M"], "--instructions-per-second"),
        ([*M4], "--target"),
        ([*M4, "--ram", "8K", "--width", 0.5], "--width"),
        ([*M4, "--ram", "8K", "--depth", 5], "--depth"),
        ([*M4, "--ram", "8K", "--from-run", "runs/a"], "--from-run"),
        ([*M4, "--ram", "8K", "--student-weights", "a.pth"], "--student-weights"),
        ([*M4, "--ram", "8K", "--front-end", "leaf-pcen"], "--front-end"),
        ([*M4, "--ram", "8K", "--temperature", 3], "--temperature"),
        ([*M4, "--ram", "8K", "--logit-weight", 1], "--logit-weight"),
    ],
)
def test_what_would_be_ignored_beside_a_budget_or_without_one_is_wrong_usage(auscult, words, option, monkeypatch):
    monkeypatch.setattr("auscult.sizing.choice.choose", lambda *_, **__: pytest.fail("chosen before it was refused"))
    code, said, told = auscult(*words)
    assert (code, said) == (2, "")
    assert option in told


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--ram", "1K"], "no cnn6 fits: the smallest, cnn6 of width 0.015625, needs"),
        (["--ram", "many"], "--ram: 'many' is no number of bytes"),
        (["--instructions-per-second", "few"], "--instructions-per-second: 'few' is no number of instructions"),
        (["--instructions-per-second", "100K"], "no cnn6 fits: the smallest, cnn6 of width 0.015625, needs"),
        (
            ["--instructions-per-second", "9M", "--target", "host"],
            "no estimate of instructions for host, as QEMU counts",
        ),
        (["--ram", "0"], "--ram: '0' is no number of bytes; write 65536, 64K or 1M, 1 to 999999999M"),
        (["--flash", "16X"], "--flash: '16X' is no number of bytes"),
        (["--ram", "64K", "--student", "stream", "--hop", 1], "give a hop of 0.768 or 1.024 s"),
        (["--ram", "8K", "--student", "rnn"], "no student called 'rnn'"),
        (["--ram", "64K", "--student", "stream", "--seconds", 1], "30 frames are too few for stream"),
    ],
)
def test_an_impossible_budget_is_one_sentence(auscult, tmp_path, words, sentence, monkeypatch):
    monkeypatch.setattr("auscult.sizing.search.MOST", 1)
    code, said, told = auscult(*M4, *words, "--runs", tmp_path / "runs")
    assert (code, said) == (1, "")
    assert sentence in " ".join(told.split())
    assert len([line for line in told.splitlines() if line.startswith("error: ")]) == 1
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([*M4, "--watch", "nonsense"], "--watch nonsense: never logged; choose one of val_auroc"),
        ([*M4, "--data", "sprsound:nowhere"], "nowhere: no such folder; name the folder of sprsound"),
        ([*M4, "--data", "sprsound:nowhere", "--label", "rhonchi"], "nowhere: no such folder"),
        ([*M4, "--data", "{corpus}", "--label", "sneeze"], "not annotated with sneeze; it offers crackle, wheeze"),
        ([*M4[:1], *M4[3:], "--teacher-run", "nowhere", "--label", "crackle"], "nowhere: no finished run here"),
        ([*M4[:1], *M4[3:], "--teacher", "nobody"], "nobody"),
        ([*M4[:1], *M4[3:], "--weights", "nowhere/w.pth"], "nowhere/w.pth: "),
    ],
)
def test_what_no_size_mends_is_refused_before_one_is_looked_for(
    auscult, small_options, tmp_path, words, sentence, monkeypatch
):
    monkeypatch.setattr("auscult.sizing.choice.choose", lambda *_, **__: pytest.fail("chosen before it was refused"))
    words = [word.format(corpus=small_options.data[0]) for word in words]
    code, said, told = auscult(*words, "--ram", "8K", "--runs", tmp_path / "runs")
    assert (code, said) == (1, "")
    assert sentence in " ".join(told.split())
    assert len([line for line in told.splitlines() if line.startswith("error: ")]) == 1
    assert not (tmp_path / "runs").exists()
