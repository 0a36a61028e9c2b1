"""Tables of scores for people."""

from collections.abc import Mapping
from typing import Any

from rich.markup import escape
from rich.table import Table

_FOUR_CLASSES = {"sp": "Sp", "se": "Se", "score": "Score"}
_FIGURES = _FOUR_CLASSES | {"se_any": "Se any", "balanced_accuracy": "balanced accuracy"}
_BY_LABEL = {"auroc": "AUROC", "sensitivity": "sensitivity", "specificity": "specificity", "f1": "F1"}


def figure(value: float | None) -> str:
    """Return a figure with three digits, or a dash where there is none."""
    return "-" if value is None or value != value else f"{value:.3f}"


def headline(scores: Mapping[str, Any]) -> dict[str, str]:
    """Return the figures that stand for all: of crackle and wheeze Sp, Se and Score, elsewhere the balanced accuracy.

    Parameters
    ----------
    scores : mapping
        As :func:`lungsound.scores.metrics.label_scores` returns them; nothing comes of none.
    """
    chosen = _FOUR_CLASSES if "score" in scores else {"balanced_accuracy": "balanced accuracy"}
    return {name: figure(scores[key]) for key, name in chosen.items() if key in scores}


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


def spread_table(title: str, names: str, found: Mapping[Any, Mapping[str, Any]], *, synthetic: bool) -> Table:
    """Return a table of how far figures vary from one seed to the next.

    Parameters
    ----------
    title, names : str
        What the figures were measured on, and the head of what they are called.
    found : mapping
        As :func:`lungsound.scores.spread.spreads` returns them, by name.
    synthetic : bool
        Say in the title that the figures come from a synthetic corpus.
    """
    title = f"{title} (synthetic corpus)" if synthetic else title
    table = figures_table(title, names, "mean", "deviation", "95 % interval\nof the mean")
    for name, spread in found.items():
        low, high = spread["interval"]
        table.add_row(
            escape(str(name)), figure(spread["mean"]), figure(spread["deviation"]), f"{low:.3f} to {high:.3f}"
        )
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
        if any(key in scores for scores in found):
            table.add_row(name, *(figure(scores.get(key)) for scores in found))
    for key, name in _BY_LABEL.items():
        for label in dict.fromkeys(label for scores in found for label in scores.get(key, ())):
            values = (figure(scores.get(key, {}).get(label)) for scores in found)
            table.add_row(escape(f"{name} {label}"), *values)
    return table
