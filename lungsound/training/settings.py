"""settings.json: what a training was told, kept from its start so that it can go on after a kill."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from lungsound.errors import InputError
from lungsound.files.atomic import whole_file
from lungsound.files.plain_json import dumps

SETTINGS_FILE = "settings.json"

AUROC = "val_auroc"
"""The figure that chooses the epoch when nobody says: the mean over the labels for which it is defined."""

T = TypeVar("T")


def save_settings(settings: Any, folder: Path) -> None:
    """Write a dataclass of settings into a run folder."""
    with whole_file(folder / SETTINGS_FILE) as temporary:
        temporary.write_text(dumps(asdict(settings)))


def load_settings(folder: Path, build: Callable[[dict[str, Any]], T]) -> T:
    """Read the settings of an interrupted training and `build` them from their plain values.

    Raises
    ------
    InputError
        If the folder has none or they are damaged.
    """
    file = folder / SETTINGS_FILE
    try:
        return build(json.loads(file.read_text()))
    except (OSError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{file}: no settings to resume from ({error}); name the folder of a training") from error
