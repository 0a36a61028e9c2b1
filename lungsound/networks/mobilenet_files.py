"""Published files of EfficientAT's MobileNetV3, which are not trusted."""

import re
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from lungsound.errors import InputError
from lungsound.networks.cards import EFFICIENTAT_MN04
from lungsound.networks.mobilenet import USUAL_STRIDES, MobileNetV3, divisible
from lungsound.training.weights import read_checkpoint

WIDTHS = (0.1, 0.2, 0.4, 0.5, 0.6, 0.8, 1.0, 1.2, 1.4, 1.6, 2.0, 3.0, 4.0)
"""Width multipliers of the published networks."""

_HIDDEN = ("classifier.2.weight", "classifier.2.bias")
_GET = f"get {EFFICIENTAT_MN04.file} from {EFFICIENTAT_MN04.url}"


@dataclass(frozen=True)
class PublishedMobileNet:
    """What a published file holds.

    Attributes
    ----------
    width : float
        One of `WIDTHS`.
    strides : tuple of int
        Of the four blocks that may halve the map.
    trunk : dict of str to Tensor
        State of a :class:`~lungsound.networks.mobilenet.MobileNetV3`.
    hidden : dict of str to Tensor
        ``weight`` [H, D] and ``bias`` [H] of the layer behind the mean of the last map; empty for heads without one.
    """

    width: float
    strides: tuple[int, ...]
    trunk: dict[str, Tensor]
    hidden: dict[str, Tensor]


def read_published(path: Path) -> PublishedMobileNet:
    """Read a published file, whose shapes tell the width and whose name tells strides (``_s2221``).

    Raises
    ------
    InputError
        If the file is missing or damaged, no MobileNetV3 of EfficientAT of a published width, or holds a value
        that is not finite.
    """
    content = read_checkpoint(path)
    if isinstance(content, dict) and isinstance(content.get("model"), dict):
        raise InputError(f"{path}: holds a network as PANNs publish it, no MobileNetV3; name its family, or {_GET}")
    state = {str(name): value for name, value in content.items()} if isinstance(content, dict) else {}
    trunk = {name: value for name, value in state.items() if name.startswith("features.")}
    width = _width_of(trunk, path)
    hidden = {name: value for name, value in state.items() if name in _HIDDEN and isinstance(value, Tensor)}
    for name, value in (trunk | hidden).items():
        # A tensor that is not laid out in full can claim a size that the file does not have.
        if value.layout != torch.strided or not value.is_contiguous() or not torch.isfinite(value).all():
            raise InputError(
                f"{path}: {name} is not laid out in full, or not finite; get {EFFICIENTAT_MN04.file} again"
            )
    strides = re.search(r"_s([12]{4})", path.stem)
    return PublishedMobileNet(
        width,
        tuple(map(int, strides[1])) if strides else USUAL_STRIDES,
        trunk,
        {name.rpartition(".")[2]: value for name, value in hidden.items()},
    )


def _width_of(trunk: dict[str, object], path: Path) -> float:
    """Return the published width whose trunk has tensors of these names and shapes."""
    found = {name: value.shape for name, value in trunk.items() if isinstance(value, Tensor)}
    first, last = found.get("features.0.0.weight", ()), found.get("features.16.0.weight", ())
    for width in WIDTHS:
        # Both ends tell widths apart at once; to make a network takes a while.
        if (first[:1], last[1:2]) != ((divisible(16 * width),), (divisible(160 * width),)):
            continue
        with torch.device("meta"):
            expected = {name: value.shape for name, value in MobileNetV3(width).state_dict().items()}
        if len(found) == len(trunk) and found == expected:
            return width
    raise InputError(f"{path}: no MobileNetV3 of EfficientAT; {_GET}")
