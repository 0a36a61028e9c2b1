"""A network as a small graph: a dozen kinds of operators, constants in float64, torch's order of axes."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Shape = tuple[int, ...]
Padding = tuple[tuple[int, int], tuple[int, int]]
"""Rows above and below, columns left and right."""

Function = Literal["relu", "relu6", "hard_swish", "sigmoid", "tanh"]
Fused = Literal["none", "relu", "relu6"]
"""An activation that the operator before it computes on the way."""

NO_PADDING: Padding = ((0, 0), (0, 0))


@dataclass(frozen=True, eq=False)
class Input:
    """The normalised log-mel, [1, 1, frames, mels]."""


@dataclass(frozen=True, eq=False)
class Constant:
    """Values that do not depend on the input, in float64."""

    values: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Convolution:
    """A 2-D convolution of [N, in, H, W].

    Attributes
    ----------
    weight : ndarray of float64, shape [out, in / groups, height, width]
        As torch keeps it.
    bias : ndarray of float64, shape [out]
        Zero where the network has none.
    stride, dilation : tuple of int
        Of height and width.
    padding : tuple
        Zeros around the input.
    groups : int
        Groups of channels that do not see each other.
    activation : {"none", "relu", "relu6"}
        Computed on the way.
    """

    weight: NDArray[np.float64]
    bias: NDArray[np.float64]
    stride: tuple[int, int] = (1, 1)
    padding: Padding = NO_PADDING
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    activation: Fused = "none"


@dataclass(frozen=True, eq=False)
class Linear:
    """A linear layer over the last axis: weight [out, in], bias [out], float64."""

    weight: NDArray[np.float64]
    bias: NDArray[np.float64]
    activation: Fused = "none"


@dataclass(frozen=True, eq=False)
class Activation:
    """An activation function of every value."""

    function: Function


@dataclass(frozen=True, eq=False)
class Softmax:
    """Softmax over one axis."""

    axis: int


@dataclass(frozen=True, eq=False)
class Pool:
    """A pooling of [N, C, H, W] over windows.

    Attributes
    ----------
    kind : {"average", "maximum"}
        Padding counts as zero for an average, never for a maximum.
    kernel, stride : tuple of int
        Of height and width.
    padding : tuple
        Around the input; the windows end where it ends.
    scale : ndarray of float64, shape [H', W'], optional
        What an average is multiplied by where its divisor is not the size of the window.
    """

    kind: Literal["average", "maximum"]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: Padding = NO_PADDING
    scale: NDArray[np.float64] | None = None


@dataclass(frozen=True, eq=False)
class Reduction:
    """Mean or maximum over axes; the shape says whether they stay with length one."""

    kind: Literal["mean", "maximum"]
    axes: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Arithmetic:
    """Sum, difference or product of two values, which broadcast."""

    kind: Literal["add", "sub", "mul"]
    activation: Fused = "none"


@dataclass(frozen=True, eq=False)
class Concatenation:
    """Inputs one after the other along an axis."""

    axis: int


@dataclass(frozen=True, eq=False)
class Pad:
    """Zeros before and behind every axis."""

    widths: tuple[tuple[int, int], ...]


@dataclass(frozen=True, eq=False)
class Slice:
    """A run of an axis, from `start` as far as the shape says."""

    axis: int
    start: int


@dataclass(frozen=True, eq=False)
class Reshape:
    """The same values in the same order in another shape."""


@dataclass(frozen=True, eq=False)
class Permute:
    """Axes in another order."""

    axes: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Expand:
    """Axes of length one repeated to the shape."""


@dataclass(frozen=True, eq=False)
class MatrixProduct:
    """Matrix products of the last two axes."""


Operator = (
    Input
    | Constant
    | Convolution
    | Linear
    | Activation
    | Softmax
    | Pool
    | Reduction
    | Arithmetic
    | Concatenation
    | Pad
    | Slice
    | Reshape
    | Permute
    | Expand
    | MatrixProduct
)


@dataclass(frozen=True, eq=False)
class Node:
    """An operator at its place in the network.

    Attributes
    ----------
    operator : Operator
        What it computes.
    inputs : tuple of Node
        What it computes it from.
    shape : tuple of int
        Of what it gives, in torch's order of axes.
    path : str
        Of the module in the network, for sentences about it; empty for the network itself.
    name : str
        For the tensors that are made of it.
    """

    operator: Operator
    inputs: tuple["Node", ...]
    shape: Shape
    path: str
    name: str


@dataclass(frozen=True)
class Graph:
    """A network: every node stands behind the nodes that it needs.

    Attributes
    ----------
    nodes : tuple of Node
        In the order in which torch computes them; all of them count.
    output : Node
        The logits [1, labels].
    """

    nodes: tuple[Node, ...]
    output: Node

    @classmethod
    def of(cls, nodes: list[Node], output: Node) -> "Graph":
        """Leave out what the output does not depend on."""
        needed, waiting = {output}, [output]
        while waiting:
            for node in waiting.pop().inputs:
                if node not in needed:
                    needed.add(node)
                    waiting.append(node)
        return cls(tuple(node for node in nodes if node in needed), output)

    @property
    def input(self) -> Node:
        """The log-mel."""
        return next(node for node in self.nodes if isinstance(node.operator, Input))

    def users(self) -> dict[Node, int]:
        """Return how many inputs every node feeds; the output counts as one."""
        counts = dict.fromkeys(self.nodes, 0) | {self.output: 1}
        for node in self.nodes:
            for given in node.inputs:
                counts[given] += 1
        return counts
