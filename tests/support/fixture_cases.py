"""Cases of the numeric fixtures: inputs, weights and outputs of published implementations, each with its tolerance."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

SHARED = Path(os.environ.get("AUSCULT_SHARED", Path(__file__).parents[2].parent / "shared"))
FIXTURES = SHARED / "reference" / "fixtures"


def cases(system: str, wanted: str = "") -> list[Any]:
    """Every case of a system, or those whose meta has the key `wanted`; a test that takes them asks for `shared`."""
    listing = FIXTURES / system / "fixture.json"
    if not listing.is_file():
        return [pytest.param({}, id="missing")]
    listed = json.loads(listing.read_text())["cases"]
    found = [case for case in listed if not wanted or wanted in case.get("meta", {})]
    assert found, f"no case of {system} has {wanted}"
    return [pytest.param(case, id=case["name"]) for case in found]


class Case:
    """Tensors and tolerance of one case."""

    def __init__(self, system: str, case: dict[str, Any]) -> None:
        self.meta, self._rtol, self._atol = case["meta"], case["rtol"], case["atol"]
        self.seed = case["seed"]
        self.weights, self.inputs, self.outputs = {}, {}, {}
        groups = {"weights": self.weights, "inputs": self.inputs, "outputs": self.outputs}
        for name, value in load_file(FIXTURES / system / case["file"]).items():
            group, _, rest = name.partition("/")
            groups[group][rest] = value

    def close(self, got: torch.Tensor, name: str) -> None:
        """Compare with an output, absolute differences relative to its scale where that is above one."""
        wanted = self.outputs[name]
        torch.testing.assert_close(
            got,
            wanted,
            rtol=self._rtol,
            atol=self._atol * max(1.0, float(wanted.abs().max())),
            msg=lambda m: f"{name}: {m}",
        )
