"""Whole models as generated C: every intermediate tensor against LiteRT, and what the generated folder promises."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from cnn6_tflite import cnn6
from exported_student import exported_student
from host import WARNINGS, run_on_host
from one_op_tflite import Model, Node, Spec, build, litert

from firmware_bridge.folder.emit import write_network
from firmware_bridge.plan.network import Network, plan_network, report
from firmware_bridge.tflite.reader import parse_tflite
from lungsound.errors import InputError

STUDENTS = [(124, 8, 0), (60, 16, 2)]


def _network(content: bytes, kernels: str = "c99", rounding: str = "double") -> Network:
    return plan_network(parse_tflite("model.tflite", content), kernels, rounding)


def _windows(network: Network, count: int) -> np.ndarray:
    shape = network.graph.tensors[network.graph.inputs[0]].shape
    rng = np.random.default_rng(5)
    windows = rng.integers(-128, 128, (count, *shape[1:])).astype(np.int8)
    windows[-1] = rng.choice([-128, 127], shape[1:])
    return windows


def _check_every_tensor(content: bytes, folder: Path, rounding: str, windows: np.ndarray | None = None) -> None:
    network = _network(content, rounding=rounding)
    windows = _windows(network, 3) if windows is None else windows
    made = run_on_host(network, windows, folder)
    truth = litert(content, windows).__getitem__ if rounding == "double" else _xnnpack(content, windows)
    assert len(made.streams) == len(network.program.streams) - 1
    for index, values in made.streams.items():
        stream = network.program.streams[index]
        assert (values != truth(stream.tensor)).sum() == 0, stream.name


def _xnnpack(content: bytes, windows: np.ndarray) -> Callable[[int], np.ndarray]:
    """What LiteRT's default runtime makes of a tensor, from the model cut behind it."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(content, 0))
    graph, model.signatureDefs = model.subgraphs[0], None
    operators = graph.operators
    for buffer in model.buffers:
        if buffer.offset > 1:  # the file keeps large weights behind its FlatBuffer
            kept = content[buffer.offset : buffer.offset + buffer.size]
            buffer.data, buffer.offset, buffer.size = np.frombuffer(kept, np.uint8), 0, 0

    def made(tensor: int) -> np.ndarray:
        last = next(index for index, op in enumerate(operators) if tensor in list(op.outputs))
        graph.operators, graph.outputs = operators[: last + 1], [tensor]
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        return litert(bytes(builder.Output()), windows, reference=False)[tensor]

    return made


@pytest.mark.parametrize("rounding", ["double", "single"])
@pytest.mark.parametrize("name", ["kws_ref_model", "pretrainedResnet_quant"])
def test_a_published_model_makes_every_byte(name: str, rounding: str, shared: Path, tmp_path: Path):
    _check_every_tensor((shared / f"data/mlperf_tiny/{name}.tflite").read_bytes(), tmp_path, rounding)


@pytest.mark.slow
@pytest.mark.parametrize("rounding", ["double", "single"])
@pytest.mark.parametrize(("frames", "width", "heads"), STUDENTS)
def test_a_student_makes_every_byte(frames: int, width: int, heads: int, rounding: str, tmp_path: Path):
    _check_every_tensor(cnn6(np.random.default_rng(heads), frames, width=width, heads=heads), tmp_path, rounding)


@pytest.mark.slow
@pytest.mark.parametrize("rounding", ["double", "single"])
@pytest.mark.parametrize("heads", [1, 2, 4, 6])
@pytest.mark.parametrize("width", [1 / 16, 1 / 8, 1 / 4])
def test_an_exported_student_makes_every_byte(width: float, heads: int, rounding: str, tmp_path: Path):
    content, windows = exported_student(width, heads)
    _check_every_tensor(content, tmp_path, rounding, windows)


def test_a_small_student_makes_every_byte(tmp_path: Path):
    _check_every_tensor(cnn6(np.random.default_rng(0), 33, mels=16, width=2, heads=2), tmp_path, "double")


@pytest.mark.parametrize(("name", "bytes_"), [("kws_ref_model", 4800), ("pretrainedResnet_quant", 13_900)])
def test_a_published_model_needs_few_bytes(name: str, bytes_: int, shared: Path):
    assert _network((shared / f"data/mlperf_tiny/{name}.tflite").read_bytes()).context_bytes <= bytes_


def test_eight_seconds_of_a_student_need_few_bytes():
    assert _network(cnn6(np.random.default_rng(0), 800)).context_bytes <= 7200


def test_ram_does_not_grow_with_the_window():
    short, long = (_network(cnn6(np.random.default_rng(0), frames)).context_bytes for frames in (200, 800))
    assert long - short == 2 * 50 // 2 * 4 * 2 - 2 * 12 * 4


@pytest.mark.parametrize("limit", [1, 3000, 10_000, 10**6])
def test_a_limit_on_pushes_changes_no_byte(limit: int, tmp_path: Path):
    content = cnn6(np.random.default_rng(3), 33, mels=16, width=2, heads=2)
    network = plan_network(parse_tflite("model.tflite", content), push_limit=limit)
    largest = max(step.macs for step in network.program.steps)
    assert report(network)["macs_of_worst_push"] <= max(limit, largest)
    windows = _windows(network, 2)
    made = run_on_host(network, windows, tmp_path)
    wanted = litert(content, windows)
    for index, values in made.streams.items():
        # Rows that the output does not need may be left when it is there.
        truth = wanted[network.program.streams[index].tensor][:, : values.shape[1]]
        assert (values != truth).sum() == 0
    assert (made.outputs != wanted[network.graph.outputs[0]]).sum() == 0


def test_a_convolution_takes_the_pool_behind_it():
    content = cnn6(np.random.default_rng(0), 100)
    apart, fused = (_network(content, kernels) for kernels in ("c99", "mve"))
    kinds = [step.kind for step in fused.program.steps]
    assert "AVERAGE_POOL_2D" not in kinds
    assert len(apart.program.streams) - len(fused.program.streams) == 4
    assert [report(network)["macs"] for network in (apart, fused)] == [report(apart)["macs"]] * 2
    assert fused.context_bytes <= apart.context_bytes - 500


_TWO_CONTEXTS = r"""
#include <stdio.h>
#include <string.h>
#include "net.h"

static net_t nets[2];
static int8_t rows[2][NET_ROWS][NET_ROW_VALUES];
static int8_t alone[2][NET_OUTPUT_VALUES];
static int8_t output[NET_OUTPUT_VALUES];

int main(void)
{
    uint32_t state = 1u;
    for (uint32_t i = 0; i < sizeof(rows); ++i) {
        state = (state * 1664525u) + 1013904223u;
        const int8_t value = (int8_t)((int32_t)(state >> 24) - 128);
        rows[i / (NET_ROWS * NET_ROW_VALUES)][(i / NET_ROW_VALUES) % NET_ROWS][i % NET_ROW_VALUES] = value;
    }
    for (uint32_t w = 0; w < 2u; ++w) {
        net_init(&nets[w]);
        for (uint32_t r = 0; r < NET_ROWS; ++r) {
            if (net_push(&nets[w], rows[w][r]) != (r + 1u == NET_ROWS)) {
                return 1;
            }
        }
        net_output(&nets[w], alone[w]);
        /* Rows after the end change nothing. */
        if (!net_push(&nets[w], rows[w][0])) {
            return 2;
        }
        net_output(&nets[w], output);
        if (memcmp(output, alone[w], sizeof(output)) != 0) {
            return 3;
        }
        (void)memset(&nets[w], 0xA5, sizeof(nets[w]));
        net_init(&nets[w]);
    }
    for (uint32_t r = 0; r < NET_ROWS; ++r) {
        (void)net_push(&nets[0], rows[0][r]);
        (void)net_push(&nets[1], rows[1][r]);
    }
    for (uint32_t w = 0; w < 2u; ++w) {
        net_output(&nets[w], output);
        if (memcmp(output, alone[w], sizeof(output)) != 0) {
            return 4;
        }
    }
    return 0;
}
"""


def test_two_contexts_do_not_meet_and_rows_after_the_end_change_nothing(tmp_path: Path):
    write_network(tmp_path, _network(cnn6(np.random.default_rng(2), 33, mels=16, width=2, heads=2)))
    (tmp_path / "main.c").write_text(_TWO_CONTEXTS)
    program = tmp_path / "contexts"
    sources = [str(path) for path in sorted(tmp_path.glob("*.c"))]
    sanitizers = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    subprocess.run(["gcc", *WARNINGS, *sanitizers, f"-I{tmp_path}", "-o", str(program), *sources], check=True)
    assert subprocess.run([str(program)], check=False).returncode == 0


def test_the_report_adds_up(shared: Path):
    network = _network((shared / "data/mlperf_tiny/kws_ref_model.tflite").read_bytes())
    facts = report(network)
    assert facts["macs"] == sum(layer["macs"] for layer in facts["layers"]) == 2_656_768
    assert facts["macs_of_worst_push"] >= facts["macs_of_average_push"]
    assert facts["context_bytes"] <= facts["blocks_bytes"] + facts["input_ring_bytes"] + 4 * len(facts["layers"]) + 8


def test_a_network_too_long_to_schedule_is_refused():
    tensors = [Spec((1, 20_000, 1, 1), (0.1 + 0.01 * index,)) for index in range(21)]
    chain = Model(tensors, [Node("QUANTIZE", [index], index + 1) for index in range(20)])
    with pytest.raises(InputError, match="420000 rows in 21 tensors are too many"):
        _network(build(chain))


def test_unknown_kernels_are_refused():
    with pytest.raises(InputError, match="choose from"):
        _network(cnn6(np.random.default_rng(0), 33, mels=16, width=2), kernels="avx")
