"""The card of a bundle: front matter that a YAML parser reads, and what is known of a model that was measured."""

from dataclasses import replace

import pytest
import yaml
from test_manifest import MANIFEST as MADE_UP
from tiny_bundle import tiny_bundle

from export.bundle.card import card
from export.bundle.evidence import Evidence, Figure
from export.bundle.front_matter import front_matter
from export.bundle.manifest import CARD_FILE, GOLDEN_FILE, TFLITE_FILE
from export.bundle.shipping import ship
from export.check import check
from lungsound.errors import InputError

MEASURED = {"sp": 0.8, "se": 0.6, "score": 0.7, "auroc": {"any": 0.75, "crackle": None}}
MANIFEST = replace(MADE_UP, validation={"windows": 7, "float": MEASURED, "int8": {}})
FIGURES = (
    Figure("sprsound", "intra", "stream", "windows", "auroc any", 0.81234, 0.78, 0.84),
    Figure("sprsound", "intra", "stream", "windows", "score", 0.7, 0.6, 0.8),
    Figure("sprsound", "intra", "cycles", "task_1-1", "score", 0.83, 0.8, 0.86),
)
EVIDENCE = Evidence(
    name='a "name": of one',
    device="Cortex-M4",
    target="cortex-m4",
    ram_bytes=12345,
    flash_bytes=99999,
    recordings={"train": 1500, "intra": 379},
    patients={"train": 200, "intra": 180},
    corpora={"sprsound": {"terms": "open access; cite the paper", "paper": "Zhang et al."}},
    recipe=None,
    options={"epochs": 12},
    commit="ab" * 20,
    figures=FIGURES,
)


def head_of(text: str) -> dict:
    """What a model hub reads of a card."""
    before, head, body = text.split("---\n", 2)
    assert before == ""
    assert body.startswith("\n# ")
    return yaml.safe_load(head)


@pytest.mark.parametrize(
    ("licence", "expected"),
    [("Apache-2.0", {"license": "apache-2.0"}), ("MIT", {"license": "mit"}),
     ("Apache-2.0; MIT", {"license": "other", "license_name": "Apache-2.0; MIT"})],
)  # fmt: skip
def test_the_licence_is_in_the_words_of_the_hub(licence, expected):
    found = yaml.safe_load(
        front_matter(replace(MANIFEST, teacher=MANIFEST.teacher | {"licence": licence})).strip("-\n")
    )
    assert {key: value for key, value in found.items() if key.startswith("license")} == expected


def test_figures_are_a_model_index_with_intervals():
    head = head_of(card(MANIFEST, EVIDENCE))
    (model,) = head["model-index"]
    assert model["name"] == EVIDENCE.name
    assert [result["dataset"]["split"] for result in model["results"]] == ["intra", "intra"]
    stream, cycles = model["results"]
    assert stream["metrics"][0] == {
        "type": "roc_auc", "name": "auroc any", "value": 0.8123,
        "args": {"interval": [0.78, 0.84], "level": 0.95, "resampled": "patients"},
    }  # fmt: skip
    assert [metric["value"] for metric in stream["metrics"] + cycles["metrics"]] == [0.8123, 0.7, 0.83]
    assert head["metrics"] == ["roc_auc", "score"]
    assert {"crackle", "wheeze"} <= set(head["tags"])
    assert head["datasets"] == ["sprsound"]


def test_without_evidence_figures_are_of_validation_and_called_so():
    (model,) = head_of(card(MANIFEST))["model-index"]
    (result,) = model["results"]
    assert result["dataset"]["split"] == "validation"
    assert "the figures flatter" in result["task"]["name"]
    assert {metric["name"]: metric["value"] for metric in result["metrics"]} == {"auroc any": 0.75, "score": 0.7}


def test_the_body_says_data_patients_limits_and_what_it_is_not():
    text = card(MANIFEST, EVIDENCE)
    for said in (
        "Research use; not a diagnosis", "1500 recordings of 200 patients", "379 recordings of 180 patients",
        "open access; cite the paper. Zhang et al.",
        "| sprsound | intra | stream, windows | score | 0.700 | 0.600 to 0.800 |",
        "12,345 bytes of RAM", "## Limits", "Licence that goes with this student: non-commercial", "ab" * 20,
    ):  # fmt: skip
        assert said in text, said


def test_what_is_shipped_is_checked_and_small(tmp_path_factory, tmp_path):
    bundle = tiny_bundle(tmp_path_factory)
    assert "synthetic" in head_of((bundle.path / CARD_FILE).read_text())["tags"]
    shipped = ship(bundle, EVIDENCE, tmp_path / "shipped")
    assert {TFLITE_FILE, GOLDEN_FILE, CARD_FILE} <= set(shipped.contents)
    assert not [name for name in shipped.contents if name.endswith(".onnx")]
    assert shipped.contents[TFLITE_FILE] == bundle.contents[TFLITE_FILE]
    assert set(check(shipped)["runtimes"]) == {"litert_xnnpack", "litert_reference"}
    assert shipped.contents[CARD_FILE].decode() == card(shipped.manifest, EVIDENCE)


def test_a_figure_that_is_no_number_is_refused():
    with pytest.raises(InputError):
        replace(FIGURES[0], value=float("nan"))
