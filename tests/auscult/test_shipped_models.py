"""The trained models in the package: whole, small, with a card that says what they are worth, and ready to run."""

import fnmatch
import json
import tomllib
from pathlib import Path

import pytest
import yaml

from auscult.models.shipped import DEFAULT, FOLDER, evidence_of, names, open_model
from export.bundle.manifest import CARD_FILE, FILES, MANIFEST_FILE
from export.check import check
from lungsound.errors import InputError

ROOT = Path(__file__).parents[2]
MOST_BYTES = 2_500_000
LEAST = {"sprsound-m7": 0.75, "sprsound-m4": 0.6, "sprsound-board": 0.75}
"""AUROC of a window of a stream, any abnormality against none: well below what was measured, far above chance."""


def test_there_is_one_for_each_kind_of_device():
    assert set(names()) == set(LEAST)
    assert names()[0] == DEFAULT


def test_all_of_them_are_small_and_packaged():
    files = [path for path in FOLDER.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= MOST_BYTES
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["auscult"]
    for path in files:
        inside = path.relative_to(ROOT / "auscult").as_posix()
        assert any(fnmatch.fnmatch(inside, pattern) for pattern in patterns), inside
        assert path.parent == FOLDER or path.name in (*FILES, MANIFEST_FILE)


@pytest.mark.parametrize("name", LEAST)
def test_each_replays_its_golden_vectors_and_tells_what_it_is_worth(name):
    _, bundle = open_model(name)
    assert all(row["differing_bytes"] == 0 for row in check(bundle)["runtimes"].values())
    evidence = evidence_of(name)
    (model,) = yaml.safe_load(bundle.contents[CARD_FILE].decode().split("---\n")[1])["model-index"]
    told = [metric["value"] for result in model["results"] for metric in result["metrics"]]
    assert model["name"] == name
    assert sorted(told) == sorted(round(figure.value, 4) for figure in evidence.figures)
    assert not bundle.manifest.synthetic
    assert "/" not in json.dumps(evidence.options)  # where a file lay on somebody's machine
    assert all(figure.low <= figure.value <= figure.high for figure in evidence.figures)
    (auroc,) = (
        figure.value for figure in evidence.figures
        if (figure.protocol, figure.level, figure.metric) == ("stream", "windows", "auroc any")
    )  # fmt: skip
    assert auroc > LEAST[name]


def test_the_list_tells_sizes_figures_and_licences(auscult):
    code, said, _ = auscult("models")
    assert code == 0
    for name in LEAST:
        assert str(FOLDER / name) in said
    for said_too in ("AUROC", "Apache-2.0; MIT", "sprsound intra", "research use; not a diagnosis"):
        assert said_too in said
    found = {model["name"]: model for model in json.loads(auscult("models", "--json")[1])["models"]}
    assert found["sprsound-m4"]["target"] == "cortex-m4"
    assert found["sprsound-m4"]["ram_bytes"] < 16 * 1024 < found["sprsound-m4"]["flash_bytes"] < 256 * 1024


def test_a_model_that_lost_its_evidence_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr("auscult.models.shipped.FOLDER", tmp_path)
    with pytest.raises(InputError, match=r"gone\.json: cannot be read.*install auscult again"):
        evidence_of("gone")
