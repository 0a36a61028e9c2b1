"""The commands as a user meets them: help, JSON, sentences and exit codes."""

import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from auscult.cli import CONTENTS
from lungsound.audio import read_pcm
from lungsound.files.versions import own_version
from lungsound.front_end import decide, front_end
from lungsound.scores.metrics import icbhi_scores
from students.csra import TEMPERATURES

AUSCULT = [sys.executable, "-c", "from auscult.cli import main; main()"]


def completed(line: str) -> list[str]:
    """What a shell is told when the last word of a line is completed."""
    asked = {"_AUSCULT_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1)}
    told = subprocess.run(AUSCULT, capture_output=True, text=True, check=True, env=os.environ | asked)
    return told.stdout.split()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("auscult ta", ["targets"]),
        ("auscult d", ["data", "distill", "demo"]),
        ("auscult data sy", ["synthesize"]),
        ("auscult targets --j", ["--json"]),
        ("auscult finetune --recipe sprsound2022-t", ["sprsound2022-teacher"]),
    ],
)
def test_a_shell_completes_commands_options_and_recipes(line, words):
    assert completed(line) == words


def test_completion_can_be_shown(auscult, monkeypatch):
    monkeypatch.setattr("shellingham.detect_shell", lambda: ("bash", "/bin/bash"))  # tests may run without a shell
    code, said, _ = auscult("--show-completion")
    assert code == 0
    assert "_AUSCULT_COMPLETE" in said


def test_the_version_is_the_distributions(auscult):
    code, said, _ = auscult("--version")
    assert code == 0
    assert said == f"auscult {own_version()}\n"


def test_help_reads_like_a_table_of_contents():
    said = subprocess.run([*AUSCULT, "--help"], capture_output=True, text=True, check=True).stdout
    places = [said.index(f" {name} ") for name in CONTENTS]
    assert places == sorted(places)


@pytest.mark.parametrize("name", CONTENTS)
def test_every_command_has_help_and_json(auscult, name):
    code, said, _ = auscult(*(["data", "check"] if name == "data" else [name]), "--help")
    assert code == 0
    assert "--json" in said
    assert "JSON keys" in said or name == "teachers"


@pytest.mark.parametrize("words", [["nonsense"], ["bench"], ["data", "check"], ["teachers", "--nonsense"]])
def test_wrong_usage_is_exit_code_2(auscult, words):
    assert auscult(*words)[0] == 2


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["data", "check", "icbhi2017", "--root", "{empty}"], "{empty}"),
        (
            ["data", "check", "nonsense", "--root", "{empty}"],
            "audacity, audio, coswara, coughvid, folders, hls_cmds, icbhi2017",
        ),
        (["evaluate", "{empty}", "--data", "synthetic"], "neither a run"),
        (["check", "{empty}"], "manifest.json"),
        (["export", "{empty}"], "no finished run"),
        (["export", "--runs", "{empty}"], "no finished student run"),
        (["finetune", "--teacher", "nonsense"], "m2dx"),
        (["finetune", "--weights", "{empty}/none.pth"], "none.pth"),
        (["finetune", "--size", "huge"], "tiny, small, published"),
        (["finetune", "--fusion", "1,two"], "--fusion 1,two"),
        (["finetune", "--teacher", "cnn6", "--size", "tiny"], "a width such as 0.25"),
        (["finetune", "--freeze"], "cannot be frozen"),
        (["finetune", "--watch", "val_accuracy"], "val_auroc_crackle, val_auroc_wheeze, val_loss, train_loss"),
        (["finetune", "--from-run", "{empty}"], "no finished run"),
        (["distill", "--watch", "nonsense"], "train_labels, train_logits, train_embedding"),
        (["distill", "--student-weights", "{empty}/none.pth"], "none.pth: missing"),
        (["distill", "--from-run", "{empty}"], "no finished run"),
        (["distill", "--student", "nonsense"], "cnn6"),
        (["distill", "--heads", "3"], "3 attention heads"),
        (["distill", "--resume", "{empty}"], "no settings to resume from"),
        (["distill", "--data", "sprsound:{empty}/none"], "{empty}/none"),
        (["distill", "--logmel", "nonsense"], "device_4k"),
        (["distill", "--protocol", "nonsense"], "cycles, stream"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_1(auscult, tmp_path, words, sentence, monkeypatch):
    monkeypatch.chdir(tmp_path)
    empty = tmp_path / "empty"
    empty.mkdir()
    code, said, complaint = auscult(*(word.format(empty=empty) for word in words))
    assert code == 1, complaint
    assert said == ""
    assert sentence.format(empty=empty) in complaint
    assert "Traceback" not in complaint
    assert list(empty.iterdir()) == []
    assert not (tmp_path / "runs").exists(), "refused only after something was trained"


def test_data_check_names_the_damaged_file(auscult, small_options, place, tmp_path):
    import shutil

    root = tmp_path / "corpus"
    shutil.copytree(place / "corpus", root)
    victim = sorted(root.rglob("*.wav"))[0]
    victim.write_bytes(victim.read_bytes()[: victim.stat().st_size // 2])
    code, said, complaint = auscult("data", "check", "icbhi2017", "--root", root)
    assert code == 1
    assert victim.name in said + complaint


def test_a_run_and_its_bundle_are_evaluated_on_the_same_windows(auscult, small_student, small_bundle, place):
    answers = []
    for target in (small_student.path, small_bundle.path):
        data = f"icbhi2017:{place / 'corpus'}"
        code, said, _ = auscult("evaluate", target, "--data", data, "--json")
        assert code == 0
        answers.append(json.loads(said))
    for answer in answers:
        assert {"target", "model", "corpus", "part", "synthetic", "thresholds", "cycles", "stream"} <= answer.keys()
        assert answer["synthetic"] is True
        assert answer["cycles"]["no_sound"]["n"] == answer["cycles"]["windows"]["n"]
        table = pd.read_csv(answer["stream"]["predictions"])
        assert len(table) == answer["stream"]["windows"]["n"]
        truth = table["crackle"] + 2 * table["wheeze"]
        said_classes = table["decided_crackle"] + 2 * table["decided_wheeze"]
        assert icbhi_scores(truth, said_classes)["sp"] == pytest.approx(answer["stream"]["windows"]["sp"])
    whole, quantized = answers
    assert whole["stream"]["windows"]["n"] == quantized["stream"]["windows"]["n"]


def test_what_was_evaluated_is_what_a_device_computes(auscult, small_bundle, place):
    """A stored stream prediction, again from the file's samples with nothing but integers behind the log-mel."""
    _, said, _ = auscult("evaluate", small_bundle.path, "--data", f"icbhi2017:{place / 'corpus'}", "--json")
    table = pd.read_csv(json.loads(said)["stream"]["predictions"])
    manifest = small_bundle.manifest
    row = table.iloc[len(table) // 2]
    listening = manifest.listening
    pcm = read_pcm(row["path"], listening.logmel.sample_rate)
    start = round(row["start"] * listening.logmel.sample_rate)
    assert start % listening.hop_samples == 0
    codes = front_end(listening, manifest.input, pcm[None, start : start + listening.samples])
    output = small_bundle.load("litert_xnnpack").run(codes)
    logits = manifest.output.dequantize(output)[0]
    assert [row["logit_crackle"], row["logit_wheeze"]] == pytest.approx(logits.tolist(), rel=1e-12)
    assert decide(output, manifest.threshold_codes)[0].tolist() == [row["decided_crackle"], row["decided_wheeze"]]


def test_validation_is_the_one_of_the_training_or_refused(auscult, small_student, place):
    words = [
        "evaluate",
        small_student.path,
        "--data",
        f"icbhi2017:{place / 'corpus'}",
        "--split",
        "validation",
        "--json",
    ]
    code, _, complaint = auscult(*words)
    assert (code, "not the split" in complaint) == (1, True)
    code, said, _ = auscult(*words, "--protocol", "stream", "--validation", 0.34)
    assert code == 0
    assert json.loads(said)["stream"]["windows"]["score"] == pytest.approx(small_student.validation["score"])


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (["{run}", "--rounding", "double"], "--rounding"),
        (["{run}", "--validation", "0.3"], "--validation"),
        (["{bundle}", "--split-seed", "1"], "--split-seed"),
    ],
)
def test_options_that_evaluate_would_ignore_are_refused(auscult, small_student, small_bundle, words, option):
    known = {"run": small_student.path, "bundle": small_bundle.path}
    code, said, complaint = auscult("evaluate", *(word.format(**known) for word in words), "--data", "synthetic")
    assert (code, said) == (2, "")
    assert option in complaint


def test_a_folder_of_runs_beside_a_run_is_refused(auscult, small_student):
    code, said, complaint = auscult("export", small_student.path, "--runs", "elsewhere")
    assert (code, said) == (2, "")
    assert "--runs" in complaint


def test_help_lists_the_heads_that_there_are(auscult):
    said = " ".join(auscult("distill", "--help")[1].replace("│", " ").split())
    *most, last = TEMPERATURES
    assert f"CSRA attention: {', '.join(map(str, most))} or {last}." in said


def test_the_rounding_of_firmware_can_be_evaluated_too(auscult, small_bundle, place):
    code, said, _ = auscult(
        "evaluate", small_bundle.path, "--data", f"icbhi2017:{place / 'corpus'}", "--protocol", "stream",
        "--rounding", "double", "--json",
    )  # fmt: skip
    assert code == 0
    assert json.loads(said)["model"] == "student, int8, double rounding"


def test_the_picture_shows_one_recording(small_student, small_options):
    from auscult.whole_chain import draw_richest

    picture = draw_richest(small_student, small_options.select())
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size > 20_000


def test_golden_vectors_replay(auscult, small_bundle):
    code, said, _ = auscult("check", small_bundle.path, "--json")
    answer = json.loads(said)
    assert code == 0
    assert answer["front_end"]["differing_codes"] == 0
    assert all(found.get("differing_bytes", 0) == 0 for found in answer["runtimes"].values())


def test_one_changed_byte_is_refused(auscult, small_bundle, tmp_path):
    import shutil

    for name in small_bundle.manifest.files:
        shutil.copytree(small_bundle.path, tmp_path / name)
        file = tmp_path / name / name
        content = bytearray(file.read_bytes())
        content[np.random.default_rng(1).integers(len(content))] ^= 1
        file.write_bytes(bytes(content))
        code, _, complaint = auscult("check", tmp_path / name)
        assert (code, name in complaint) == (1, True)
