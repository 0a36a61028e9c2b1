"""A student with a learnt front end, from its run to its bundle, as a user asks for them."""

import json

import pandas as pd
import pytest
from promised_keys import broken, promised

from export.check_command import check_command
from export.command import export_command
from students.student import Student


@pytest.fixture(scope="module")
def cost(small_hearer) -> str:
    """What a refusal says of the filters that the run learnt."""
    front_end = Student.load(small_hearer.model, small_hearer.weights).front_end
    return f"leaf-logtbn (EfficientLEAF) costs {front_end.multiply_accumulates() / 1e6:.1f} M multiply-accumulates"


def sentence(found: tuple[int, str, str]) -> str:
    """The one sentence of a command that failed."""
    code, said, told = found
    assert (code, said) == (1, ""), told
    assert "Traceback" not in told
    return " ".join(told.split())


def test_a_run_and_its_bundle_decide_alike(auscult, small_hearer, cost, place, tmp_path):
    bundle = tmp_path / "bundle"
    code, said, told = auscult("export", small_hearer.path, "-o", bundle, "--json")
    assert code == 0, told
    answer = json.loads(said)
    assert sorted(answer["files"]) == ["README.md", "golden.npz", "model_float.onnx", "validation.csv.gz"]
    assert not broken(promised(export_command.__doc__), answer)
    code, said, _ = auscult("check", bundle, "--json")
    assert code == 0
    assert not broken(promised(check_command.__doc__), json.loads(said))
    assert auscult("check", bundle)[0] == 0
    tables = []
    for target in (small_hearer.path, bundle):
        words = ["--data", f"icbhi2017:{place / 'corpus'}", "--protocol", "stream", "-o", tmp_path / "scores", "--json"]
        code, said, told = auscult("evaluate", target, *words)
        assert code == 0, told
        tables.append(pd.read_csv(json.loads(said)["stream"]["predictions"]))
    logits = [column for column in tables[0] if "logit" in column or "probability" in column]
    assert logits, list(tables[0])
    pd.testing.assert_frame_equal(tables[0][logits], tables[1][logits], rtol=1e-3, atol=1e-3)
    for words in (
        ("plan", bundle, "--target", "cortex-m4"),
        ("firmware", bundle, "--target", "cortex-m4", "-o", tmp_path / "c"),
    ):
        assert cost in sentence(auscult(*words))
    assert not (tmp_path / "c").exists()
    assert "nothing to measure it against; name a bundle with int8" in sentence(auscult("bench", bundle))
    code, _, told = auscult("evaluate", bundle, "--data", "synthetic", "--rounding", "double")
    assert code == 2
    assert "int8 bundle alone" in " ".join(told.replace("│", " ").split())


@pytest.mark.parametrize("int8", ["tflite", "onnx"])
def test_int8_is_refused_with_the_cost(auscult, small_hearer, cost, tmp_path, int8):
    said = sentence(auscult("export", small_hearer.path, "--int8", int8, "-o", tmp_path / "bundle"))
    assert cost in said
    assert "train with --front-end logmel" in said
    assert not list(tmp_path.iterdir())


def test_what_int8_alone_needs_is_wrong_usage(auscult, small_hearer):
    code, _, told = auscult("export", small_hearer.path, "--percentile", 99)
    assert code == 2
    assert "--percentile" in told


def test_an_unknown_front_end_is_refused(auscult, tmp_path):
    found = auscult("distill", "--teacher", "none", "--front-end", "leaf", "--runs", tmp_path / "runs")
    assert "no front end called 'leaf'; choose one of logmel, leaf-logtbn, leaf-pcen" in sentence(found)
    assert not list(tmp_path.iterdir())


def test_windows_that_are_too_short_are_refused(auscult, small_options, place, tmp_path):
    words = [
        "--data",
        f"icbhi2017:{place / 'corpus'}",
        "--front-end",
        "leaf-pcen",
        "--seconds",
        0.4,
        "--hop",
        0.2,
        "--runs",
        tmp_path / "runs",
    ]
    assert "13 frames of 64 mels are too few for cnn6" in sentence(auscult("distill", "--teacher", "none", *words))
    assert not list(tmp_path.iterdir())
