"""The pages on extending, followed by a newcomer who knows nothing else."""

import json

import pytest
from pages import Page, python


@pytest.fixture(scope="session")
def corpus(small_options, place):
    """A small corpus in the layout of ICBHI 2017."""
    return place / "corpus"


def made(folder, kind):
    """The runs of a kind that a page left, the oldest first."""
    files = sorted((folder / "runs").glob("*/run.json"), key=lambda file: file.stat().st_mtime)
    return [run for run in (json.loads(file.read_text()) for file in files) if run["kind"] == kind]


@pytest.mark.slow
def test_an_encoder(tmp_path, corpus):
    page = Page.read("extending/encoder.md")
    assert list(page.files) == ["teachers/strided_cnn.py"]
    page.write(tmp_path)
    python(
        tmp_path,
        "from pathlib import Path\n"
        "from lungsound.training.weights import save_weights\n"
        "from teachers.strided_cnn import SIZES, StridedCnn, StridedCnnConfig\n"
        "save_weights(StridedCnn(StridedCnnConfig(SIZES['small'], 64)), Path('strided_cnn_breaths.safetensors'))",
    )
    told = page.run(tmp_path, ROOT=corpus)
    assert "strided_cnn from scratch: size small, large" in told
    scratch, published = made(tmp_path, "teacher")
    assert scratch["model"]["encoder"] == {"name": "strided_cnn", "widths": [8, 16, 32], "mels": 64}
    assert scratch["teacher"]["name"] == "strided_cnn-small-from-scratch"
    assert (published["teacher"]["licence"], published["listening"]["logmel"]["mean"]) == ("CC BY 4.0", -9.0)
    (student,) = made(tmp_path, "student")
    assert student["teacher"]["name"] == scratch["teacher"]["name"]
    assert (next(tmp_path.glob("runs/*/bundle")) / "model_int8.tflite").is_file()
