"""One call of a traced network: its arguments by name, its place, and the node that it becomes."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import fx

from export.graph.nodes import Constant, Node, Operator, Shape
from lungsound.errors import InputError

_USE_INSTEAD = {
    "gelu": "ReLU or hard-swish",
    "elu": "ReLU or hard-swish",
    "leaky_relu": "ReLU",
    "_prelu_kernel": "ReLU",
    "native_layer_norm": "batch normalisation",
    "native_group_norm": "batch normalisation",
    "_native_batch_norm_legit": "batch normalisation with running statistics",
    "div": "a product, or a constant divisor",
    "max": "amax, which gives no indices",
    "bernoulli": "no dropout in evaluation",
    "upsample_nearest2d": "a network without upsampling",
    "upsample_bilinear2d": "a network without upsampling",
}
_OTHERWISE = (
    "convolutions, linear layers, batch normalisation, ReLU, ReLU6, hard-swish, hard-sigmoid, sigmoid, tanh, softmax, "
    "pools, means, maxima, sums, products and concatenations"
)


@dataclass
class Call:
    """A call of an ATen operator.

    Attributes
    ----------
    fx : Node
        Torch's record of it.
    values : dict
        Arguments by the names of the operator's schema: nodes, float64 tensors that do not depend on the input, plain
        values.
    nodes : list of Node
        The graph so far; what the call becomes is appended.
    """

    fx: fx.Node
    values: dict[str, Any]
    nodes: list[Node] = field(repr=False)

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    @property
    def operator(self) -> str:
        """Its name: ``convolution``."""
        return operator_name(self.fx)

    @property
    def path(self) -> str:
        """Where in the network it stands: ``blocks.3.attn``."""
        return module_of(self.fx)[0]

    @property
    def shape(self) -> Shape:
        """Of what it gives, or of the first thing it gives."""
        made = self.fx.meta["val"]
        return tuple((made[0] if isinstance(made, tuple | list) else made).shape)

    def node(self, name: str) -> Node:
        """Return an argument as a node, a constant or a number too."""
        return self.as_node(self.values[name])

    def as_node(self, value: Any) -> Node:
        """Return a value as a node of the graph."""
        if isinstance(value, Node):
            return value
        values = np.asarray(value, np.float64)
        if not np.isfinite(values).all():
            raise self.refuse("computes with values that are not finite", "finite weights")
        return self.emit(Constant(values), shape=values.shape)

    def constant(self, name: str) -> NDArray[np.float64] | None:
        """Return an argument as an array; None where it is not given.

        Raises
        ------
        InputError
            If it depends on the input, or is not finite.
        """
        value = self.values[name]
        if value is None:
            return None
        if isinstance(value, Node):
            raise self.refuse(f"takes its {name} from the input", f"a constant {name}")
        values = np.asarray(value, np.float64)
        if not np.isfinite(values).all():
            raise self.refuse(f"has a {name} that is not finite", "finite weights")
        return values

    def emit(self, operator: Operator, *inputs: Node, shape: Shape | None = None) -> Node:
        """Append a node and return it."""
        path, whole = module_of(self.fx)
        parts = [part for part in path.split(".") if part] + ([] if whole else [self.operator.strip("_")])
        made = Node(operator, inputs, self.shape if shape is None else shape, path, "/".join(parts))
        self.nodes.append(made)
        return made

    def refuse(self, why: str | None = None, instead: str | None = None) -> InputError:
        """Return the sentence for a call that cannot be exported.

        Parameters
        ----------
        why : str, optional
            Said of the operator; without it, that it cannot be exported at all.
        instead : str, optional
            What to use instead.
        """
        name = f"{self.path or 'the network itself'}: aten.{self.operator}"
        instead = instead or _USE_INSTEAD.get(self.operator, _OTHERWISE)
        return InputError(f"{name} {why or 'cannot be exported'}; use {instead}")


def operator_name(node: fx.Node) -> str:
    """Return the name of the operator that a call runs, without its overload."""
    target = node.target
    return target._schema.name.split("::")[-1] if isinstance(target, torch._ops.OpOverload) else str(target)


def module_of(node: fx.Node) -> tuple[str, bool]:
    """Return the path of the module that a call belongs to, and whether that is one of torch's own."""
    stack = node.meta.get("nn_module_stack")
    if not stack:
        return "", False
    path, kind = list(stack.values())[-1]
    kind = kind if isinstance(kind, str) else f"{kind.__module__}.{kind.__qualname__}"
    return str(path), kind.startswith("torch.nn.modules.")
