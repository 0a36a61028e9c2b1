"""Read a torch network: traced, constants computed, every call turned into a node."""

import operator
from typing import Any

import torch
from torch import fx, nn
from torch.export import ExportedProgram

from export.graph.call import Call
from export.graph.fold import fold
from export.graph.nodes import Graph, Input, Node
from export.graph.read_layers import LAYERS
from export.graph.read_shapes import SHAPES
from export.graph.trace import core, recorded
from lungsound.errors import InputError

READERS = LAYERS | SHAPES
"""By ATen name: what turns a call into a node."""


def read_graph(network: nn.Module, frames: int, mels: int) -> Graph:
    """Read what a network computes in evaluation, whatever it is made of.

    Parameters
    ----------
    network : Module
        Maps normalised log-mels [1, 1, frames, mels] to logits [1, labels].
    frames, mels : int
        Size of the window.

    Returns
    -------
    Graph
        With constants computed in float64, batch normalisation folded into convolutions, and activations fused.

    Raises
    ------
    InputError
        If :func:`export.graph.trace.recorded` or :func:`graph_of` refuses the network.
    """
    return graph_of(recorded(network, 1, frames, mels))


def graph_of(program: ExportedProgram) -> Graph:
    """Read what a network computes, once :func:`export.graph.trace.recorded` has followed it.

    Raises
    ------
    InputError
        If :func:`export.graph.trace.core` refuses the program, an operator cannot be exported (with its place in the
        network and what to use instead), or a weight is not finite.
    """
    program = core(program)
    reading = _Reading(program)
    for node in program.graph.nodes:
        reading.read(node)
    made = reading.made
    if not isinstance(made, Node):
        raise InputError("the network gives the same logits for every window; it must compute them from its input")
    return fold(Graph.of(reading.nodes, made))


class _Reading:
    """Values of a traced program as they are known so far: nodes, or tensors where nothing depends on the input."""

    def __init__(self, program: ExportedProgram) -> None:
        self.nodes: list[Node] = []
        self.made: Any = None
        self._values: dict[fx.Node, Any] = {}
        self._program = program
        signature = program.graph_signature
        self._stored: dict[str, str] = {
            **signature.inputs_to_parameters,
            **signature.inputs_to_buffers,
            **signature.inputs_to_lifted_tensor_constants,
        }

    def read(self, node: fx.Node) -> None:
        """Take the next node of the program."""
        if node.op == "placeholder":
            self._values[node] = self._given(node)
        elif node.op == "output":
            self.made = self._values[node.args[0][0]]  # type: ignore[index]
        else:
            self._values[node] = self._called(node)

    def _given(self, node: fx.Node) -> Any:
        name = self._stored.get(node.name)
        if name is None and isinstance(node.meta["val"], torch.Tensor):
            made = Node(Input(), (), tuple(node.meta["val"].shape), "", "logmel")
            self.nodes.append(made)
            return made
        value = self._program.state_dict.get(name or "", self._program.constants.get(name or ""))
        if not isinstance(value, torch.Tensor):
            raise InputError(f"the network computes with {node.name}, which is no tensor; compute with tensors alone")
        if node.users and not torch.isfinite(value).all():
            raise InputError(f"{name} holds values that are not finite; train the network again")
        return _float64(value.detach().cpu())

    def _called(self, node: fx.Node) -> Any:
        known = self._values.__getitem__
        args: Any = fx.node.map_arg(node.args, known)
        kwargs: Any = fx.node.map_arg(node.kwargs, known)
        if node.target is operator.getitem:
            return args[0][args[1]]
        call = Call(node, _bound(node, args, kwargs), self.nodes)
        if not any(isinstance(value, Node) for value in _flat(list(call.values.values()))):
            return self._computed(call, args, kwargs)
        reader = READERS.get(call.operator)
        if reader is None:
            raise call.refuse()
        return reader(call)

    def _computed(self, call: Call, args: Any, kwargs: Any) -> Any:
        """Run a call that does not depend on the input, in float64."""
        target = call.fx.target
        if isinstance(target, torch._ops.OpOverload) and torch.Tag.nondeterministic_seeded in target.tags:
            raise call.refuse("draws at random", "a network that gives the same logits for the same window")
        assert callable(target)
        with torch.no_grad():
            return fx.node.map_aggregate(target(*args, **kwargs), _float64)


def _float64(value: Any) -> Any:
    return value.double() if isinstance(value, torch.Tensor) and value.is_floating_point() else value


def _bound(node: fx.Node, args: Any, kwargs: Any) -> dict[str, Any]:
    """Return a call's arguments by name, with the defaults of the operator's schema."""
    if not isinstance(node.target, torch._ops.OpOverload):
        return dict(enumerate(args))  # type: ignore[arg-type]
    arguments = node.target._schema.arguments
    values: dict[str, Any] = {
        argument.name: argument.default_value for argument in arguments if argument.has_default_value()
    }
    values |= dict(zip((argument.name for argument in arguments), args, strict=False)) | kwargs
    return values


def _flat(values: list[Any]) -> list[Any]:
    return [v for value in values for v in (_flat(list(value)) if isinstance(value, list | tuple) else [value])]
