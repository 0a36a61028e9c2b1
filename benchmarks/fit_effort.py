"""Fit what kernels cost to instructions counted in QEMU, and write firmware_bridge/plan/effort.json.

    python benchmarks/fit_effort.py              # counts first, as measure_effort.py does
    python benchmarks/fit_effort.py counts.jsonl # fits what was counted before

A linear programme for each C function of a core: no count is more than its costs say, and they say as little more as
can be, of steps that take much of their networks above all. A table tells how far the estimate of a network lies above
its count, as fitted and where the network itself was left out of the fit.
"""

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from measure_effort import measured
from rich.table import Table
from scipy.optimize import linprog

from firmware_bridge.device.targets import targets
from firmware_bridge.plan.effort import COSTS, FRONT_END, instructions
from lungsound.files.atomic import whole_file
from lungsound.terminal import print_table

MARGIN, MARGIN_OF_FRAMES = 1.03, 1.2
"""Of every cost, for networks that were not counted; of the front end, where the sound itself decides more."""
LIKE = {"cortex-m7": "cortex-m4", "cortex-m33": "cortex-m4"}
"""Cores with the instructions of another, of which more networks are counted."""
NETWORK = ["target", "kernels", "network"]


def costs_of(rows: pd.DataFrame) -> dict[str, float]:
    """Return the costs, by unit of work, of rows of one C function on one core."""
    work = pd.DataFrame(list(rows["work"])).fillna(0.0)
    work = work.loc[:, (work > 0).any()]
    counts = np.maximum(rows["instructions"].to_numpy(float), 1.0)
    by_count = work.to_numpy(float) / counts[:, None]
    weight = 0.1 + counts / rows["whole"].to_numpy(float)
    found = linprog(weight @ by_count, A_ub=-by_count, b_ub=np.full(len(counts), -1.0), bounds=(0, None))
    margin = MARGIN_OF_FRAMES if rows["kernel"].iloc[0] == FRONT_END else MARGIN
    costs = {name: float(f"{margin * cost:.4g}") for name, cost in zip(work.columns, found.x, strict=True)}
    return {name: cost for name, cost in costs.items() if cost > 0}


def costs_on(rows: pd.DataFrame, target: str, kernels: str) -> dict[str, dict[str, float]]:
    """Return the costs of every C function on a core that has rows of its own."""
    own = rows[(rows["target"] == target) & (rows["kernels"] == kernels)]
    alike = rows[rows["target"].isin([target, LIKE.get(target)]) & (rows["kernels"] == kernels)]
    return {kernel: costs_of(some) for kernel, some in alike.groupby("kernel") if len(own)}


def fit(rows: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Return costs by target, then of the front end and, by kernels and rounding, of every C function."""
    known: dict[str, dict[str, Any]] = {}
    order = [target.name for target in targets()]
    pairs = rows[["target", "kernels"]].drop_duplicates().itertuples(index=False)
    for target, kernels in sorted(pairs, key=lambda pair: (order.index(pair[0]), pair[1])):
        found = costs_on(rows, target, kernels)
        known.setdefault(target, {})[kernels] = found[FRONT_END] if kernels == FRONT_END else found
    return known


def ratio(network: pd.DataFrame, costs: dict[str, dict[str, float]]) -> float | None:
    """Return estimate by count of a network or a front end; None where a function of it has no costs."""
    if not set(network["kernel"]) <= set(costs):
        return None
    pairs = zip(network["work"], network["kernel"], strict=True)
    return float(sum(instructions(work, costs[kernel]) for work, kernel in pairs) / network["instructions"].sum())


def table(rows: pd.DataFrame) -> Table:
    """Return how far estimates are above counts."""
    made = Table("target", "what", "counted", "estimate / count", "left out of the fit")
    for (target, kernels), some in rows.groupby(["target", "kernels"]):
        parts = [part for _, part in some.groupby("network")]
        costs = costs_on(rows, target, kernels)
        fitted = (ratio(part, costs) for part in parts)
        apart = (
            ratio(part, costs_on(rows[rows["network"] != part["network"].iloc[0]], target, kernels)) for part in parts
        )
        made.add_row(target, kernels.replace("_", " "), str(len(parts)), _span(fitted), _span(apart))
    return made


def _span(ratios: Iterable[float | None]) -> str:
    found = [ratio for ratio in ratios if ratio is not None]
    return f"{min(found):.2f} to {max(found):.2f}" if found else "none"


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("counts", type=Path, nargs="?", help="from measure_effort.py; else it is counted now")
    asked = words.parse_args()
    rows = pd.DataFrame(list(map(json.loads, asked.counts.open()) if asked.counts else measured([])))
    rows["kernels"] = rows["kernels"].fillna(FRONT_END)
    rows["whole"] = rows.groupby(NETWORK)["instructions"].transform("sum")
    with whole_file(COSTS) as path:
        path.write_text(json.dumps(fit(rows), indent=1) + "\n")
    print_table(table(rows))


if __name__ == "__main__":
    main()
