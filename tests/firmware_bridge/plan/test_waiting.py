"""What waits for all of time, against networks of which it is known."""

import numpy as np
import pytest
from cnn6_tflite import cnn6
from one_op_tflite import Model, Node, Spec, build

from firmware_bridge.plan.network import plan_network, report, report_text
from firmware_bridge.tflite.reader import parse_tflite

_AXES = {"keepDims": True}
_NONE = {"fusedActivationFunction": 0}


def _facts(model: Model, push_limit: int = 0) -> dict:
    return report(plan_network(parse_tflite("m.tflite", build(model)), push_limit=push_limit))


def _map(rows: int, channels: int = 4, name: str = "") -> Spec:
    return Spec((1, rows, 3, channels), (0.1,), (0,), name=name)


def _pool(kernel: int) -> dict[str, object]:
    return {"padding": 0, "strideH": 1, "strideW": 1, "filterHeight": kernel, "filterWidth": 1}


def _gated() -> Model:
    """A map and its skip, which both wait for the gate."""
    axes = Spec((2,), (), (), data=np.asarray([1, 2]), dtype="int32")
    gate = Spec((1, 1, 1, 4), (0.1,), (0,), name="gate")
    tensors = [_map(20, name="in"), _map(20, name="map"), axes, gate, _map(20, name="gated"), _map(20, name="out")]
    nodes = [
        Node("MAX_POOL_2D", [0], 1, ("Pool2DOptions", _pool(3))),
        Node("MEAN", [1, 2], 3, ("ReducerOptions", _AXES)),
        Node("MUL", [1, 3], 4, ("MulOptions", _NONE)),
        Node("ADD", [4, 0], 5, ("AddOptions", _NONE)),
    ]
    return Model(tensors, nodes)


@pytest.mark.parametrize("push_limit", [0, 1])
def test_a_gate_and_the_skip_around_it_hold_their_maps_whole(push_limit: int):
    facts = _facts(_gated(), push_limit)
    said = [(fact["tensor"], fact["made"], fact["waits_for"], fact["bytes"]) for fact in facts["whole"]]
    assert said == [("map", "gated", "gate", 240), ("in", "out", "gated", 240)]
    assert facts["whole_bytes"] == 480
    assert facts["context_bytes"] >= 480
    text = report_text(facts)
    assert "'map' (20 x 12, 240 bytes): MUL that makes 'gated' needs 'gate' too, which comes last" in text
    assert [layer["whole"] for layer in facts["layers"]] == [[], [], ["map"], ["in"]]


def test_what_streams_holds_nothing_whole():
    maps = [_map(20), _map(20), _map(20), _map(20)]
    nodes = [
        Node("MAX_POOL_2D", [0], 1, ("Pool2DOptions", _pool(5))),
        Node("MAX_POOL_2D", [1], 2, ("Pool2DOptions", _pool(5))),
        Node("ADD", [0, 2], 3, ("AddOptions", _NONE)),
    ]
    facts = _facts(Model(maps, nodes))
    assert facts["whole"] == []
    assert facts["whole_bytes"] == 0
    assert "no tensor waits for all of time" in report_text(facts)


def test_a_window_as_high_as_the_map_reads_it_at_once():
    facts = _facts(Model([_map(4, name="in"), _map(4)], [Node("MAX_POOL_2D", [0], 1, ("Pool2DOptions", _pool(7)))]))
    assert [(fact["tensor"], fact["waits_for"]) for fact in facts["whole"]] == [("in", None)]


@pytest.mark.parametrize(("order", "held"), [((0, 2, 1, 3), ["in"]), ((0, 1, 3, 2), []), ((0, 3, 1, 2), [])])
def test_a_transpose_waits_only_where_time_moves(order: tuple[int, ...], held: list[str]):
    """The last order moves an axis of one, and nothing else."""
    source = Spec((1, 9, 3, 1) if order == (0, 3, 1, 2) else (1, 9, 3, 2), name="in")
    shape = tuple(source.shape[axis] for axis in order)
    to = Spec((4,), (), (), data=np.asarray(order), dtype="int32")
    nodes = [Node("TRANSPOSE", [0, 1], 2, ("TransposeOptions", {})), Node("QUANTIZE", [2], 3)]
    facts = _facts(Model([source, to, Spec(shape), Spec(shape, (0.2,))], nodes))
    assert [fact["tensor"] for fact in facts["whole"]] == held


def test_what_is_held_whole_has_a_ring_of_all_its_rows():
    facts = report(plan_network(parse_tflite("m.tflite", cnn6(np.random.default_rng(0), 124, heads=4))))
    whole = {fact["tensor"] for fact in facts["whole"]}
    layers = [layer for layer in facts["layers"] if layer["tensor"] in whole]
    assert len(layers) == len(whole) > 2
    assert all(layer["ring_rows"] == layer["rows"] > 1 for layer in layers)
    assert not any(layer["whole"] for layer in facts["layers"][:4])  # the trunk streams
