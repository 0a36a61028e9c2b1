"""A seal: the sha256 of a whole text or file, in it where 64 zeros stood when it was taken."""

import hashlib

UNSEALED = "0" * 64
"""What stands in the place of the seal until :func:`sealed`."""


def sealed(content: bytes) -> bytes:
    """Return `content` with its sha256 (hexadecimal) where it has `UNSEALED` first."""
    return content.replace(UNSEALED.encode(), hashlib.sha256(content).hexdigest().encode(), 1)


def is_sealed(content: bytes, seal: str) -> bool:
    """Tell whether `seal`, which `content` names as its own, is that of :func:`sealed`; any other change breaks it."""
    unsealed = content.replace(seal.encode(), UNSEALED.encode(), 1)
    return hashlib.sha256(unsealed).hexdigest() == seal
