"""The published file of YAMNet, an int8 .tflite whose weights become float again; it is not trusted."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lungsound.errors import InputError
from lungsound.files.flatbuffer import FlatTable
from lungsound.files.untrusted import read_bytes
from teachers.offers.yamnet import CARD
from teachers.yamnet.network import PATCH, STRIDES

# Numbers of fields and of what is enumerated are those of TensorFlow Lite's schema.fbs.
_CONVOLUTION, _DEPTHWISE, _QUANTIZE = 3, 4, 114
_FLOAT32, _INT32, _INT8 = 0, 2, 9
_SAME, _RELU6 = 0, 3

_LAYOUT = (
    ("layers.0.0.conv", _CONVOLUTION, 3, STRIDES[0]),
    *(
        part
        for layer, stride in enumerate(STRIDES[1:], 1)
        for part in (
            (f"layers.{layer}.0.conv", _DEPTHWISE, 3, stride),
            (f"layers.{layer}.1.conv", _CONVOLUTION, 1, 1),
        )
    ),
)
"""Name in the trunk, kind, kernel and stride of each convolution, in the file's order."""

_MOST_BYTES = 1 << 26
_GET = f"get {CARD.file} from {CARD.url}"


@dataclass(frozen=True)
class PublishedYamnet:
    """What a published file holds.

    Attributes
    ----------
    trunk : dict of str to Tensor
        State of a folded :class:`~teachers.yamnet.network.YamnetTrunk`, float32.
    widths : tuple of int
        Channels of the 14 layers.
    mels : int
        Mel bands.
    heard : tuple of float
        Lowest and highest log-mel that the file's int8 input can hold.
    """

    trunk: dict[str, Tensor]
    widths: tuple[int, ...]
    mels: int
    heard: tuple[float, float]


class _AnotherNetwork(Exception):
    """The file can be read and holds no YAMNet; the message says why."""


def read_published(path: Path) -> PublishedYamnet:
    """Read a published file: a weight is its integer times the scale of its channel.

    Raises
    ------
    InputError
        If the file is missing, no .tflite, damaged, or of another network.
    """
    content = read_bytes(path, _MOST_BYTES)
    if content[4:8] != b"TFL3":
        raise InputError(f"{path}: no .tflite file, the form in which YAMNet is read; {_GET}")
    try:
        return _published(FlatTable.root(str(path), content))
    except _AnotherNetwork as error:
        raise InputError(f"{path}: not YAMNet as int8 behind a log-mel ({error}); {_GET}") from error
    except (InputError, IndexError) as error:
        raise InputError(f"{path}: cut or damaged; {_GET}") from error


def _published(model: FlatTable) -> PublishedYamnet:
    graphs, buffers = model.tables(2), model.tables(4)
    if len(graphs) != 1:
        raise _AnotherNetwork(f"{len(graphs)} graphs")
    kinds = [max(code.integer(0, "b"), code.integer(3, "i")) for code in model.tables(1)]
    tensors = [_Tensor(table, buffers) for table in graphs[0].tables(0)]
    operators = [(kinds[operator.integer(0, "I")], operator) for operator in graphs[0].tables(3)]
    mels, heard = _input(tensors, operators)
    convolutions = [found for found in operators if found[0] in (_CONVOLUTION, _DEPTHWISE)]
    if len(convolutions) != len(_LAYOUT):
        raise _AnotherNetwork(f"{len(convolutions)} convolutions instead of {len(_LAYOUT)}")
    trunk: dict[str, Tensor] = {}
    widths, channels = [], 1
    for (name, kind, kernel, stride), (found, operator) in zip(_LAYOUT, convolutions, strict=True):
        weight, bias = (_of(tensors, operator, place).values(dtype) for place, dtype in ((1, _INT8), (2, _INT32)))
        depthwise = kind == _DEPTHWISE
        due = (1, kernel, kernel, channels) if depthwise else (len(weight), kernel, kernel, channels)
        if (found, weight.shape) != (kind, due) or not _strides_by(operator, stride, depthwise=depthwise):
            raise _AnotherNetwork(f"another convolution in the place of {name}")
        channels = channels if depthwise else len(weight)
        if bias.shape != (channels,):
            raise _AnotherNetwork(f"no bias in {name}")
        widths += [] if depthwise else [channels]
        trunk[f"{name}.weight"] = torch.from_numpy(weight.transpose((3, 0, 1, 2) if depthwise else (0, 3, 1, 2)).copy())
        trunk[f"{name}.bias"] = torch.from_numpy(bias)
    return PublishedYamnet(trunk, tuple(widths), mels, heard)


class _Tensor:
    """A tensor of the file."""

    def __init__(self, table: FlatTable, buffers: list[FlatTable]) -> None:
        self._table, self._buffers = table, buffers
        self.dtype = table.integer(1, "b")
        self.shape = _integers(table, 0)

    def values(self, dtype: int) -> NDArray[np.float32]:
        """Return the constant of this type, each channel times its scale."""
        raw = self._buffers[self._table.integer(2, "I")].array(0, "u1")
        if self.dtype != dtype or raw is None:
            raise _AnotherNetwork("weights that are not int8")
        item = np.dtype("<i4" if dtype == _INT32 else "i1")
        if min(self.shape, default=0) <= 0 or math.prod(self.shape) * item.itemsize != len(raw):
            raise IndexError
        scales, zeros, axis = self.quantization()
        if zeros.any() or not 0 <= axis < len(self.shape) or len(scales) != self.shape[axis]:
            raise _AnotherNetwork("weights without a scale for each channel")
        along = [len(scales) if place == axis else 1 for place in range(len(self.shape))]
        return np.asarray(raw.view(item).reshape(self.shape) * scales.reshape(along), np.float32)

    def quantization(self) -> tuple[NDArray[np.float64], NDArray[np.int64], int]:
        """Return scales, zero points and the axis that they run along."""
        table = self._table.table(4)
        scales, zeros = (None, None) if table is None else (table.array(2, "<f4"), table.array(3, "<i8"))
        if table is None or scales is None or zeros is None or len(scales) != len(zeros):
            raise _AnotherNetwork("tensors that are not quantized")
        found = scales.astype(np.float64)
        if not (np.isfinite(found).all() and (found > 0).all()):
            raise IndexError
        return found, zeros.astype(np.int64), table.integer(6, "i")


def _input(tensors: list[_Tensor], operators: list[tuple[int, FlatTable]]) -> tuple[int, tuple[float, float]]:
    """Return the mel bands of a patch, and the lowest and highest value of its int8 codes."""
    (kind, first) = operators[0]
    heard = _of(tensors, first, 0)
    if kind != _QUANTIZE or heard.dtype != _FLOAT32 or len(heard.shape) != 3 or heard.shape[:2] != (1, PATCH):
        raise _AnotherNetwork(f"its input is no log-mel of {PATCH} frames")
    scales, zeros, _ = tensors[_integers(first, 2)[0]].quantization()
    if len(scales) != 1:
        raise IndexError
    lowest, highest = (float(scales[0] * (code - zeros[0])) for code in (-128, 127))
    return heard.shape[2], (lowest, highest)


def _of(tensors: list[_Tensor], operator: FlatTable, place: int) -> _Tensor:
    """Return an operator's input."""
    index = _integers(operator, 1)[place]
    if index < 0:
        raise _AnotherNetwork("convolutions without a bias")
    return tensors[index]


def _strides_by(operator: FlatTable, stride: int, *, depthwise: bool) -> bool:
    """Tell whether a convolution strides so on both axes, keeps its borders and ends in a ReLU6."""
    options = operator.table(4)
    if options is None:
        return False
    strides = options.integer(1, "i"), options.integer(2, "i")
    ends_in = options.integer(4 if depthwise else 3, "b")
    return (options.integer(0, "b"), strides, ends_in) == (_SAME, (stride, stride), _RELU6)


def _integers(table: FlatTable, field: int) -> tuple[int, ...]:
    values = table.array(field, "<i4")
    return () if values is None else tuple(int(value) for value in values.tolist())
