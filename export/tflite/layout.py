"""Values whose axes TFLite keeps in another order than torch; moved only where an operator needs it."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from export.graph.nodes import Shape
from export.tflite.writer import TfliteWriter

CHANNELS_LAST = (0, 2, 3, 1)


@dataclass(frozen=True)
class Value:
    """A tensor and how torch would order its axes.

    Attributes
    ----------
    tensor : int
        Index in the file.
    sizes : tuple of int
        Axes longer than one in the tensor's order; an axis that torch keeps as two may stand as two.
    order : tuple of int
        Indices of `sizes` in torch's order. Reshaping in torch leaves both alone.
    """

    tensor: int
    sizes: tuple[int, ...]
    order: tuple[int, ...]

    @classmethod
    def of(cls, tensor: int, shape: Shape, axes: Sequence[int] | None = None) -> "Value":
        """Describe a tensor that holds torch's axes of `shape` in the order `axes`."""
        axes = [axis for axis in (range(len(shape)) if axes is None else axes) if shape[axis] > 1]
        order = tuple(axes.index(axis) for axis in range(len(shape)) if shape[axis] > 1)
        return cls(tensor, tuple(shape[axis] for axis in axes), order)

    def groups(self, shape: Shape) -> tuple["Value", list[list[int]]] | None:
        """Split `sizes` so that every axis of `shape` is a run of them, and return the run of each; None if it fails.

        It fails where torch has merged axes and split them elsewhere, which only a copy in torch's order undoes.
        """
        sizes, order = list(self.sizes), list(self.order)
        runs: list[list[int]] = []
        place = 0
        for length in shape:
            run: list[int] = []
            while length > 1:
                index = order[place]
                size = sizes[index]
                if size > length and size % length == 0:
                    sizes[index : index + 1] = [length, size // length]
                    order = [i + (i > index) for i in order]
                    order.insert(place + 1, index + 1)
                    runs = [[i + (i > index) for i in earlier] for earlier in runs]
                    run = [i + (i > index) for i in run]
                    size = length
                if length % size:
                    return None
                run.append(index)
                length //= size
                place += 1
            runs.append(run)
        return Value(self.tensor, tuple(sizes), tuple(order)), runs

    def permuted(self, shape: Shape, axes: Sequence[int]) -> "Value | None":
        """Let torch order the axes of `shape` anew; nothing moves. None where `groups` fails."""
        split = self.groups(shape)
        if split is None:
            return None
        value, runs = split
        return Value(value.tensor, value.sizes, tuple(i for axis in axes for i in runs[axis]))

    def axes(self, shape: Shape) -> tuple[int, ...] | None:
        """Return the order in which the tensor holds the axes of `shape`; None where it tears one apart."""
        split = self.groups(shape)
        if split is None:
            return None
        _, runs = split
        candidates = [tuple(range(len(shape)))]
        if len(shape) == 4:
            candidates.insert(0, CHANNELS_LAST)
        candidates.append(tuple(sorted(range(len(shape)), key=lambda axis: runs[axis][:1])))
        for axes in candidates:
            held = [i for axis in axes for i in runs[axis]]
            if held == sorted(held):
                return axes
        return None

    def places(self) -> NDArray[np.int64]:
        """Return torch's flat index of every value in the tensor's order."""
        ordered = np.arange(math.prod(self.sizes)).reshape([self.sizes[i] for i in self.order])
        return ordered.transpose(np.argsort(self.order)).ravel()


class Layouts:
    """Writes the RESHAPE and TRANSPOSE that bring a value into the shape an operator reads; each once.

    Parameters
    ----------
    writer : TfliteWriter
        Of the file.
    """

    def __init__(self, writer: TfliteWriter) -> None:
        self._writer = writer
        self._made: dict[tuple[int, str, Shape], int] = {}

    def tensor(self, value: Value, shape: Shape, axes: Sequence[int] | None = None, held: Shape | None = None) -> int:
        """Return a tensor that holds torch's axes of `shape` in the order `axes`.

        Parameters
        ----------
        value : Value
            What to hold.
        shape : tuple of int
            Its shape in torch.
        axes : sequence of int, optional
            Torch's order if not given.
        held : tuple of int, optional
            Shape of the tensor; that of the axes one by one if not given.
        """
        axes = tuple(range(len(shape))) if axes is None else tuple(axes)
        held = tuple(shape[axis] for axis in axes) if held is None else held
        split = value.groups(shape)
        if split is None:
            return self.tensor(self._in_order(value), shape, axes, held)
        value, runs = split
        return self.reshaped(self._moved(value, [i for axis in axes for i in runs[axis]]), held)

    def permuted(self, value: Value, shape: Shape, axes: Sequence[int]) -> Value:
        """Let torch order the axes of `shape` anew, moving nothing if it can be helped."""
        made = value.permuted(shape, axes)
        if made is None:
            made = self._in_order(value).permuted(shape, axes)
        assert made is not None
        return made

    def axes(self, value: Value, shape: Shape) -> tuple[int, ...]:
        """Return the order in which the axes of `shape` are read with the least moving."""
        return value.axes(shape) or tuple(range(len(shape)))

    def reshaped(self, tensor: int, shape: Shape) -> int:
        """Return the values of a tensor in another shape."""
        if self._writer.shape(tensor) == shape:
            return tensor

        def write() -> int:
            options = schema.ReshapeOptionsT()
            options.newShape = list(shape)
            name = f"{self._writer.name(tensor)}/reshape"
            target = self._writer.constant(f"{name}/shape", np.array(shape, np.int32))
            return self._writer.operator("RESHAPE", [tensor, target], name, shape, options)

        return self._once(tensor, "RESHAPE", shape, write)

    def _in_order(self, value: Value) -> Value:
        """Copy a value into torch's order."""
        made = self._moved(value, list(value.order))
        sizes = tuple(value.sizes[i] for i in value.order)
        return Value(made, sizes, tuple(range(len(sizes))))

    def _moved(self, value: Value, order: list[int]) -> int:
        """Return a tensor with `value.sizes` in another order, neighbours that stay together as one axis."""
        if order == sorted(order):
            return value.tensor
        runs: list[list[int]] = []
        for i in order:
            if runs and runs[-1][-1] + 1 == i:
                runs[-1].append(i)
            else:
                runs.append([i])
        merged = sorted(runs)
        shape = (1, *(math.prod(value.sizes[i] for i in run) for run in merged))
        permutation = (0, *(merged.index(run) + 1 for run in runs))
        source = self.reshaped(value.tensor, shape)

        def write() -> int:
            name = f"{self._writer.name(value.tensor)}/transpose"
            target = self._writer.constant(f"{name}/order", np.array(permutation, np.int32))
            made = tuple(shape[axis] for axis in permutation)
            return self._writer.operator("TRANSPOSE", [source, target], name, made, schema.TransposeOptionsT())

        return self._once(source, "TRANSPOSE", permutation, write)

    def _once(self, tensor: int, kind: str, shape: Shape, write: Callable[[], int]) -> int:
        key = (tensor, kind, shape)
        if key not in self._made:
            self._made[key] = write()
        return self._made[key]
