"""Versions of the packages that decide the numbers."""

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
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def own_version() -> str:
    """Return the version of auscult itself; "unknown" where it runs without being installed."""
    return versions().get(DISTRIBUTION, "unknown")
