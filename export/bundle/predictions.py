"""validation.csv.gz: what every model of a bundle says of every validation window, for whoever counts again."""

import gzip
import io
import zlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from export.bundle.manifest import PREDICTIONS_FILE, TFLITE_FILE, Manifest
from export.bundle.opening import Bundle
from export.bundle.runtimes import RUNTIMES
from lungsound.errors import InputError, first_line

if TYPE_CHECKING:
    import pandas as pd

KEPT = (
    "corpus",
    "recording",
    "patient",
    "site",
    "device",
    "protocol",
    "start",
    "end",
    "event",
    "event_type",
    "record_type",
)
"""Of `lungsound.windows.WINDOW_COLUMNS`; where recordings lie on this machine stays here."""

_LARGEST = 2**28


def logit_column(model: str, label: str) -> str:
    """Return the column of a model's logits for a label; the float model is called ``float``."""
    return f"logit_{model}_{label}"


def _type_of(model: str) -> type[np.floating[Any]]:
    """Return what a model's logits are: onnxruntime gives float32, half as many digits; LiteRT codes times a scale."""
    return np.float64 if model in RUNTIMES and RUNTIMES[model].file == TFLITE_FILE else np.float32


def stored_validation(bundle: Bundle, model: str) -> tuple[NDArray[np.int64], NDArray[np.float64]] | None:
    """Return truth and a model's logits [N, labels] of a bundle's validation windows; None in bundles of before."""
    if PREDICTIONS_FILE not in bundle.contents:
        return None
    labels = bundle.manifest.listening.labels
    try:
        table = read_predictions(bundle.contents[PREDICTIONS_FILE], bundle.manifest)
    except InputError as error:
        raise InputError(f"{bundle.path}: {error}") from error
    columns = [logit_column(model, label) for label in labels]
    return table[list(labels)].to_numpy(np.int64), table[columns].to_numpy(np.float64)


def predictions_bytes(
    windows: "pd.DataFrame", logits: Mapping[str, NDArray[np.float64]], labels: Sequence[str]
) -> bytes:
    """Return the content of the file: the windows, their labels, and every model's logits, exact to the last bit.

    Parameters
    ----------
    windows : DataFrame
        N windows with `KEPT` and `labels`.
    logits : mapping of str to ndarray of float64, shape [N, C]
        By model, as :func:`export.gate.validation_logits` returns them.
    labels : sequence of str, length C
        Their names.
    """
    import pandas as pd

    said = {
        logit_column(model, label): values[:, column].astype(_type_of(model))
        for model, values in logits.items()
        for column, label in enumerate(labels)
    }
    table = pd.concat([windows[[*KEPT, *labels]], pd.DataFrame(said, index=windows.index)], axis=1)
    text = table.to_csv(index=False, lineterminator="\n")
    return gzip.compress(text.encode(errors="surrogateescape"), mtime=0)


def read_predictions(content: bytes, manifest: Manifest) -> "pd.DataFrame":
    """Read what :func:`predictions_bytes` wrote; `content` may come from anybody.

    Parameters
    ----------
    content : bytes
        Of the file, as a bundle holds it.
    manifest : Manifest
        Names the labels and the models.

    Returns
    -------
    DataFrame
        Text in `KEPT` but ``start``, ``end`` (float64, seconds) and ``event``; 0 and 1 in every label; float64 logits.

    Raises
    ------
    InputError
        If it is no such table, or larger than any.
    """
    import pandas as pd

    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            text = file.read(_LARGEST + 1)
        if len(text) > _LARGEST:
            raise InputError("larger than any that its writer makes")
        # As text first: pandas' own reading of numbers is off by a last bit at times.
        table = pd.read_csv(io.BytesIO(text), dtype=str, keep_default_na=False, encoding_errors="surrogateescape")
        labels = list(manifest.listening.labels)
        models = ["float", *manifest.validation["int8"]]
        columns = [logit_column(model, label) for model in models for label in labels]
        if list(table.columns) != [*KEPT, *labels, *columns]:
            raise InputError("has other columns than the manifest's labels and models make")
        table = table.astype(
            {logit_column(model, label): _type_of(model) for model in models for label in labels}
            | dict.fromkeys(["start", "end"], np.float64)
            | dict.fromkeys(["event", *labels], np.int64)
        ).astype(dict.fromkeys(columns, np.float64))
        if not np.isfinite(table[columns]).all(axis=None) or not table[labels].isin([0, 1]).all(axis=None):
            raise InputError("holds what is neither a logit nor a label")
        if len(table) != manifest.validation["windows"]:
            raise InputError(f"has {len(table)} windows where the manifest has {manifest.validation['windows']}")
    except InputError as error:
        raise InputError(f"{PREDICTIONS_FILE}: {error}; export the run again") from error
    except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{PREDICTIONS_FILE}: not readable ({first_line(error)}); export the run again") from error
    return table
