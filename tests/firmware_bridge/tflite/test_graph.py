"""The checks that every graph must pass."""

import dataclasses

import pytest

from firmware_bridge.tflite.graph import Graph, Op, Tensor, check_graph, check_indices
from lungsound.errors import InputError

_INT8 = Tensor("x", (1, 4, 2), "int8", (0.5,), (0,))


def _graph(**changes: object) -> Graph:
    middle = dataclasses.replace(_INT8, name="y")
    graph = Graph("m", (_INT8, middle), (Op("RELU", (0,), (1,)),), (0,), (1,))
    return dataclasses.replace(graph, **changes)


def test_a_sound_graph_passes():
    check_graph(_graph())


@pytest.mark.parametrize(
    ("graph", "says"),
    [
        (_graph(ops=(Op("RELU", (1,), (1,)),)), "cycle"),
        (_graph(ops=(Op("RELU", (0,), (1,)), Op("RELU", (1,), (1,)))), "made twice"),
        (_graph(ops=()), "nothing makes the output"),
        (_graph(ops=(Op("SPLIT", (0,), (1, 1)),)), "2 outputs"),
        (_graph(tensors=(_INT8, dataclasses.replace(_INT8, shape=(1, 0)))), "fixed and positive"),
        (_graph(tensors=(_INT8, dataclasses.replace(_INT8, shape=(1 << 20, 1 << 20)))), "too large"),
        (_graph(tensors=(_INT8, dataclasses.replace(_INT8, zero_points=()))), "1 scales and 0 zero points"),
        (_graph(tensors=(dataclasses.replace(_INT8, shape=(1, -1, 2)),) * 2), r"shape \[1, -1, 2\]; every axis"),
        (_graph(tensors=(dataclasses.replace(_INT8, variable=True),) * 2, inputs=()), "keeps state in 'x'"),
    ],
)
def test_a_faulty_graph_costs_one_sentence(graph: Graph, says: str):
    with pytest.raises(InputError, match=says):
        check_graph(graph)


@pytest.mark.parametrize(
    ("graph", "says"),
    [
        (_graph(inputs=(7,)), "the model names tensor 7 of 2"),
        (_graph(outputs=(-1,)), "the model names tensor -1 of 2"),
        (_graph(ops=(Op("RELU", (9,), (1,)),)), "RELU names tensor 9 of 2"),
        (_graph(ops=(Op("RELU", (0,), (-1,)),)), "RELU names tensor -1 of 2"),
    ],
)
def test_a_graph_that_names_tensors_it_lacks_costs_one_sentence(graph: Graph, says: str):
    with pytest.raises(InputError, match=says):
        check_indices(graph)
