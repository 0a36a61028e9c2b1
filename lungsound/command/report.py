"""Tables of scores for people."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table


def figure(value: float | None) -> str:
    """Return a figure with three digits, or a dash where there is none."""
    return "-" if value is None or value != value else f"{value:.3f}"


def scores_table(title: str, rows: Mapping[str, Mapping[str, Any]], *, synthetic: bool) -> Table:
    """Return a table with a row for each model.

    Parameters
    ----------
    title : str
        What the figures were measured on.
    rows : mapping
        Scores as :func:`lungsound.scores.metrics.label_scores` returns them, by model.
    synthetic : bool
        Say in the title that the figures come from a synthetic corpus.
    """
    table = Table(title=f"{title} (synthetic corpus)" if synthetic else title)
    table.add_column("")
    for name in ("n", "Sp", "Se", "Score", "Se any", "AUROC crackle", "AUROC wheeze", "AUROC any"):
        table.add_column(name, justify="right")
    for name, scores in rows.items():
        areas = scores["auroc"]
        values = [scores["sp"], scores["se"], scores["score"], scores["se_any"]]
        values += [areas["crackle"], areas["wheeze"], areas["any"]]
        table.add_row(name, str(scores["n"]), *map(figure, values))
    return table
