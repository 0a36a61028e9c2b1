"""Two binary labels, the four classes they make, and the names the corpora give them."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

LABELS = ("crackle", "wheeze")
"""Order of the two binary labels in every array, model output and manifest."""

CLASSES = ("normal", "crackle", "wheeze", "both")
"""Four classes; the index is ``crackle + 2 * wheeze``."""

SPRSOUND_EVENTS: dict[str, tuple[int, int]] = {
    "Normal": (0, 0),
    "Fine Crackle": (1, 0),
    "Wheeze": (0, 1),
    "Coarse Crackle": (1, 0),
    "Wheeze+Crackle": (1, 1),
    "Rhonchi": (0, 1),
    "Stridor": (0, 1),
}
"""SPRSound's seven event types (task 1-2 order) as (crackle, wheeze): discontinuous and continuous sounds."""

SPRSOUND_RECORDS = ("Normal", "Poor Quality", "CAS", "DAS", "CAS & DAS")
"""SPRSound's record labels in the order of task 2-2."""


def classes_from_labels(labels: ArrayLike) -> NDArray[np.int64]:
    """Turn ``[..., 2]`` binary labels (crackle, wheeze) into class indices ``[...]``."""
    binary = np.asarray(labels).astype(np.int64)
    return np.asarray(binary[..., 0] + 2 * binary[..., 1])


def labels_from_classes(classes: ArrayLike) -> NDArray[Any]:
    """Turn class indices ``[...]`` into ``[..., 2]`` binary labels (crackle, wheeze)."""
    index = np.asarray(classes).astype(np.int64)
    return np.stack([index % 2, index // 2], axis=-1)
