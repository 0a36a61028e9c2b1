"""Tables of scores for people."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table

_FIGURES = {"sp": "Sp", "se": "Se", "score": "Score", "se_any": "Se any"}


def figure(value: float | None) -> str:
    """Return a figure with three digits, or a dash where there is none."""
    return "-" if value is None or value != value else f"{value:.3f}"


def figures_table(title: str, names: str, *columns: str) -> Table:
    """Return a table with a first column of names and further ones of figures.

    Parameters
    ----------
    title : str
        What the figures were measured on.
    names, *columns : str
        The heads; a head of two words may stand on two lines.
    """
    table = Table(names, title=title)
    for name in columns:
        table.add_column(name, justify="right")
    return table


def scores_table(title: str, columns: Mapping[str, Mapping[str, Any]], *, synthetic: bool) -> Table:
    """Return a table with a row for each figure and a column for each model or way to count.

    Parameters
    ----------
    title : str
        What the figures were measured on.
    columns : mapping
        Scores as :func:`lungsound.scores.metrics.label_scores` returns them, by the head of their column.
    synthetic : bool
        Say in the title that the figures come from a synthetic corpus.
    """
    found = list(columns.values())
    table = figures_table(f"{title} (synthetic corpus)" if synthetic else title, "", *columns)
    table.add_row("n", *(str(scores["n"]) for scores in found))
    for key, name in _FIGURES.items():
        table.add_row(name, *(figure(scores.get(key)) for scores in found))
    for label in dict.fromkeys(label for scores in found for label in scores["auroc"]):
        table.add_row(f"AUROC {label}", *(figure(scores["auroc"].get(label)) for scores in found))
    return table
