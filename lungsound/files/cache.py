"""Where things that can be made again are kept."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """Return ``$AUSCULT_CACHE``, or ``~/.cache/auscult`` where it is not set; the folder may not exist yet."""
    chosen = os.environ.get("AUSCULT_CACHE")
    return Path(chosen).expanduser().resolve() if chosen else Path.home() / ".cache" / "auscult"
