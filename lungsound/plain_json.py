"""JSON that any parser reads: what is not a number is null."""

import json
import math
from collections.abc import Mapping
from typing import Any


def dumps(values: Any) -> str:
    """Return indented JSON; NaN and infinity become null, tuples lists."""
    return json.dumps(_plain(values), indent=2, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
