"""What is known of a bundle that was measured on recordings that nobody chose anything on."""

from dataclasses import dataclass
from typing import Any

from lungsound.files.record import check_values


@dataclass(frozen=True)
class Figure:
    """A figure of one part of a corpus.

    Attributes
    ----------
    corpus, part, protocol : str
        What was heard, and how it was cut.
    level : str
        ``windows`` (of a stream, or annotated events), ``recordings``, or SPRSound's ``task_1-1`` and the others.
    metric : str
        Such as ``auroc any`` or ``score``.
    value, low, high : float
        The figure and its 95 % interval over patients.
    """

    corpus: str
    part: str
    protocol: str
    level: str
    metric: str
    value: float
    low: float
    high: float

    def __post_init__(self) -> None:
        check_values(self)


@dataclass(frozen=True)
class Evidence:
    """Who a model is for, what it was made from, and what it is worth.

    Attributes
    ----------
    name : str
        The model's.
    device : str
        What it is for, in words.
    target : str or None
        The core whose firmware `ram_bytes` and `flash_bytes` are of (estimates from above, windows overlapping).
    ram_bytes, flash_bytes : int or None
        None of a model that becomes no firmware.
    recordings, patients : dict of str to int
        How many there were of each by part: ``train``, ``validation`` and the test parts.
    corpora : dict of str to dict
        ``terms`` and ``paper`` of each corpus that it was trained on, by name.
    recipe : str or None
        Of the training.
    options : dict
        Of the training, all of them.
    commit : str
        Of auscult, that made the bundle.
    figures : tuple of Figure
        With the test part heard once, after everything was chosen.
    """

    name: str
    device: str
    target: str | None
    ram_bytes: int | None
    flash_bytes: int | None
    recordings: dict[str, int]
    patients: dict[str, int]
    corpora: dict[str, Any]
    recipe: str | None
    options: dict[str, Any]
    commit: str
    figures: tuple[Figure, ...]

    def __post_init__(self) -> None:
        check_values(self)
