"""The pages on extending, followed by a newcomer who knows nothing else."""

import json
import re
import shutil
from pathlib import Path

import pytest
from one_op_tflite import Model, Node, Spec, build
from pages import Page, python

from firmware_bridge.device.targets import find_target, missing_packages
from lungsound.corpora.registry import open_corpus


@pytest.fixture(scope="session")
def corpus(small_options, place):
    """A small corpus in the layout of ICBHI 2017."""
    return place / "corpus"


def made(folder, kind):
    """The runs of a kind that a page left, the oldest first."""
    files = sorted((folder / "runs").glob("*/run.json"), key=lambda file: file.stat().st_mtime)
    return [run for run in (json.loads(file.read_text()) for file in files) if run["kind"] == kind]


@pytest.fixture
def ward(tmp_path, corpus):
    """The same recordings under the names that the page on corpora asks for."""
    folder = tmp_path / "ward"
    folder.mkdir()
    opened = open_corpus("icbhi2017", corpus)
    heard = opened.events.groupby("path")[["crackle", "wheeze"]].max()
    for number, (path, row) in enumerate(heard.iterrows()):
        sound = ("clear", "crackle", "wheeze", "both")[row["crackle"] + 2 * row["wheeze"]]
        patient, _, site = Path(path).stem.split("_")[:3]
        shutil.copy(path, folder / f"{patient}_{site}{number}_{sound}.wav")
    return folder


@pytest.mark.slow
def test_a_corpus(tmp_path, ward):
    page = Page.read("extending/corpus.md")
    assert list(page.files) == ["lungsound/corpora/ward.py"]
    page.write(tmp_path / "sources")
    told = page.run(tmp_path / "sources", WARD=ward)
    count = len(list(ward.iterdir()))
    assert "corpus: ward" in told
    assert f"ward.csv: {count} rows, {count} recordings" in told
    (student,) = made(tmp_path / "sources", "student")
    assert student["data"] == [f"ward:{ward}"]
    assert list((tmp_path / "sources").glob("runs/*/evaluation/ward-test-*.csv"))


@pytest.mark.slow
def test_a_corpus_with_a_wrong_name_is_told(tmp_path, ward):
    (ward / "p_left_cough.wav").write_bytes(next(ward.iterdir()).read_bytes())
    page = Page.read("extending/corpus.md")
    page.write(tmp_path / "sources")
    found = python(
        tmp_path / "sources",
        "from pathlib import Path; from lungsound.corpora.registry import read_corpus; "
        f"print(*read_corpus('ward', Path({str(ward)!r})).faults, sep='|')",
    )
    said = "is not PATIENT_SITE_SOUND.wav with one of clear, crackle, wheeze, both; rename it"
    assert found.strip() == f"{ward / 'p_left_cough.wav'}: {said}"


@pytest.mark.slow
def test_a_student(tmp_path, corpus):
    page = Page.read("extending/student.md")
    assert list(page.files) == ["students/ds_cnn.py"]
    page.write(tmp_path)
    told = page.run(tmp_path, ROOT=corpus)
    (student,) = made(tmp_path, "student")
    assert (student["model"]["trunk"], student["model"]["width"]) == ("ds_cnn", 0.25)
    assert re.search(r"output bytes that differ from LiteRT +0 of ", told)
    assert "tensors that wait for all of time, held whole" in told
    assert list((tmp_path / "firmware").glob("au_depthwise_*.c"))


@pytest.mark.slow
def test_an_encoder(tmp_path, corpus):
    page = Page.read("extending/encoder.md")
    assert list(page.files) == ["teachers/offers/strided_cnn.py", "teachers/strided_cnn.py"]
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


@pytest.mark.slow
@pytest.mark.skipif(bool(missing_packages(find_target("cortex-m4"))), reason="no compiler or QEMU for cortex-m4")
def test_an_operator(tmp_path):
    page = Page.read("extending/operator.md")
    assert list(page.files) == [
        "firmware_bridge/c/kernels/elementwise/au_maximum.h",
        "firmware_bridge/c/kernels/elementwise/au_maximum_c99.c",
        "firmware_bridge/compile/lower_maximum.py",
        "imports of firmware_bridge/compile/operators.py",
        "OPERATORS of firmware_bridge/compile/operators.py",
        "tests/firmware_bridge/compile/test_maximum.py",
    ]
    page.write(tmp_path)
    source, *others = (Spec((1, 40, 16, 4), (0.05,), (3,)) for _ in range(3))
    pool = {"padding": 0, "strideH": 1, "strideW": 1, "filterHeight": 3, "filterWidth": 3}
    nodes = [
        Node("MAX_POOL_2D", [0], 1, ("Pool2DOptions", pool)),
        Node("MAXIMUM", [0, 1], 2, ("MaximumMinimumOptions", {})),
    ]
    (tmp_path / "model.tflite").write_bytes(build(Model([source, *others], nodes)))
    told = page.run(tmp_path, MODEL=tmp_path / "model.tflite")
    assert "2 passed" in told
    assert (tmp_path / "maximum" / "au_maximum_c99.c").is_file()
    assert "output bytes that differ from LiteRT  0 of 12800" in told
