"""Versions of the packages that decide the numbers."""

from functools import cache
from importlib.metadata import PackageNotFoundError, version

DISTRIBUTION = "auscult-edge"
"""What is installed under; another package is published as auscult."""

PACKAGES = (
    DISTRIBUTION,
    "numpy",
    "torch",
    "lightning",
    "timm",
    "soxr",
    "ai-edge-litert",
    "ai-edge-quantizer",
    "nncf",
    "onnx",
    "onnxruntime",
)


def versions() -> dict[str, str]:
    """Return the installed version of each of `PACKAGES`, leaving out those that are not installed."""
    found = {package: _version(package) for package in PACKAGES}
    return {package: number for package, number in found.items() if number is not None}


def own_version() -> str:
    """Return the version of auscult itself; "unknown" where it runs without being installed."""
    return _version(DISTRIBUTION) or "unknown"


@cache
def _version(package: str) -> str | None:
    """Return a package's version, None where it is not installed; its metadata is a long file to read."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
