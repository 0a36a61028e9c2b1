"""What stands above a card for machines: licence, tags and figures, as Hugging Face's model hub reads them (YAML)."""

import json
from typing import Any

from export.bundle.evidence import Evidence
from export.bundle.manifest import TFLITE_FILE, Manifest

_LICENCES = {"Apache-2.0": "apache-2.0", "MIT": "mit", "CC-BY-4.0": "cc-by-4.0"}
"""Words of the hub; any other licence is called other, with its own name."""

_METRICS = {"auroc": "roc_auc", "f1": "f1", "sensitivity": "recall", "balanced_accuracy": "balanced_accuracy"}
"""Words of the hub; the rest have their own."""


def front_matter(manifest: Manifest, evidence: Evidence | None = None) -> str:
    """Return the front matter of a bundle's card, with the lines around it.

    Parameters
    ----------
    manifest : Manifest
        Of the bundle.
    evidence : Evidence, optional
        What was measured on a test part; else the figures are those of validation, and called so.
    """
    licence = manifest.teacher["licence"]
    values: dict[str, Any] = {"license": _LICENCES.get(licence, "other")}
    if values["license"] == "other":
        values["license_name"] = licence
    values["library_name"] = "litert" if TFLITE_FILE in manifest.files else "onnx"
    values["pipeline_tag"] = "audio-classification"
    values["tags"] = ["lung-sounds", "auscultation", *manifest.listening.labels, "int8", "microcontroller", "synthetic"]
    if not manifest.synthetic:
        values["tags"].remove("synthetic")
    values["datasets"] = list(manifest.data)
    results = [*_of_evidence(evidence)] if evidence else _of_validation(manifest)
    if results:
        values["metrics"] = sorted({metric["type"] for result in results for metric in result["metrics"]})
        name = evidence.name if evidence else f"{manifest.student.get('trunk', 'network')} student"
        values["model-index"] = [{"name": name, "results": results}]
    return "---\n" + "".join(f"{key}: {_yaml(value)}\n" for key, value in values.items()) + "---\n\n"


def _yaml(value: Any, indent: int = 0) -> str:
    """Return a value as YAML, whose scalars and flow lists are JSON; lists of objects stand over several lines."""
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        pad = " " * indent
        return "".join(
            f"\n{pad}- " + f"\n{pad}  ".join(f"{key}: {_yaml(inner, indent + 4)}" for key, inner in item.items())
            for item in value
        )
    return json.dumps(value)


def _of_validation(manifest: Manifest) -> list[dict[str, Any]]:
    """Return results of validation windows, on which thresholds were chosen; none where the truth is not known."""
    found = manifest.validation.get("int8", {}).get("litert_xnnpack") or manifest.validation.get("float") or {}
    figures = {"auroc any": (found.get("auroc") or {}).get("any")}
    figures |= {name: found.get(name) for name in ("score", "balanced_accuracy")}
    metrics = [_metric(name, value, None) for name, value in figures.items() if value is not None]
    if not metrics:
        return []
    return [
        _result(
            " and ".join(manifest.data),
            "validation",
            "windows; thresholds were chosen on them, so the figures flatter",
            metrics,
        )
    ]


def _of_evidence(evidence: Evidence) -> list[dict[str, Any]]:
    places: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for figure in evidence.figures:
        place = figure.corpus, figure.part, f"{figure.protocol}, {figure.level}"
        places.setdefault(place, []).append(_metric(figure.metric, figure.value, (figure.low, figure.high)))
    return [_result(corpus, part, how, metrics) for (corpus, part, how), metrics in places.items()]


def _result(corpus: str, part: str, how: str, metrics: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "task": {"type": "audio-classification", "name": f"lung sounds ({how})"},
        "dataset": {"type": corpus.replace(" and ", "+"), "name": corpus, "split": part},
        "metrics": metrics,
    }


def _metric(name: str, value: float, interval: tuple[float, float] | None) -> dict[str, Any]:
    kind = name.partition(" ")[0]
    metric: dict[str, Any] = {"type": _METRICS.get(kind, kind), "name": name, "value": round(value, 4)}
    if interval:
        metric["args"] = {"interval": [round(end, 4) for end in interval], "level": 0.95, "resampled": "patients"}
    return metric
