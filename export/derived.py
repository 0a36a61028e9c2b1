"""What a manifest says of validation windows, derived again from what its models said of them."""

from typing import Any

import numpy as np

from export.bundle.manifest import PREDICTIONS_FILE
from export.bundle.opening import Bundle
from export.bundle.predictions import logit_column, read_predictions
from export.gate import Validation, gate, int8_flips, validation_figures
from lungsound.errors import InputError


def derived_figures(bundle: Bundle) -> dict[str, Any] | None:
    """Return ``validation``, ``gate`` and ``flips`` as a bundle's manifest should have them.

    The error of a float model against torch is left out, which is not here.

    Returns
    -------
    dict or None
        Without ``gate`` and ``flips`` where there is no int8; None where a bundle carries no predictions.

    Raises
    ------
    InputError
        If the predictions are none.
    """
    manifest = bundle.manifest
    if PREDICTIONS_FILE not in bundle.contents:
        return None
    try:
        table = read_predictions(bundle.contents[PREDICTIONS_FILE], manifest)
    except InputError as error:
        raise InputError(f"{bundle.path}: {error}") from error
    labels = list(manifest.listening.labels)
    logits = {
        model: table[[logit_column(model, label) for label in labels]].to_numpy(np.float64)
        for model in ("float", *manifest.validation["int8"])
    }
    truth = table[labels].to_numpy(np.int64)
    found: dict[str, Any] = {"validation": validation_figures(manifest.listening, manifest.thresholds, logits, truth)}
    if manifest.gate is None:
        return found
    validation = Validation(np.zeros((0, 0), dtype=np.int16), truth, windows=table)
    told = manifest.listening, manifest.thresholds, logits, validation
    found["gate"] = gate(*told)
    if manifest.flips is not None:
        found["flips"] = int8_flips(*told)
    return found
