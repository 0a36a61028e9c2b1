"""What `auscult firmware` and `plan` read as a model, and what they refuse to."""

import os

import pytest
from make_folder import made
from one_op_tflite import Model, Node, Spec, build


def test_a_pipe_is_one_sentence(refused, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    refused("plan", tmp_path / "pipe", "--target", "host", sentence="pipe: is no file")


def test_what_is_no_model_is_not_read_to_its_end(refused, tmp_path):
    with (tmp_path / "large").open("wb") as file:
        file.truncate(1 << 40)
    refused("plan", tmp_path / "large", "--target", "host", sentence="large: not a .tflite file")


def test_a_model_too_large_for_any_core_is_one_sentence(refused, tflite):
    os.truncate(tflite, 1 << 40)
    refused(
        "plan", tflite, "--target", "host", sentence="has 1099511627776 bytes, and firmware takes 268435456 at most"
    )


@pytest.mark.parametrize("rounding", ["double", "single"])
def test_names_that_are_not_utf_8_are_no_hindrance(auscult, installed, tmp_path, rounding):
    installed("host")
    tensors = [Spec((1, 4, 8, 1), name="NAME"), Spec((1, 4, 8, 1), name="MADE")]
    content = build(Model([*tensors], [Node("RELU", [0], 1, version=2)]))
    path = tmp_path / "named.tflite"
    path.write_bytes(content.replace(b"NAME", b"\xff\xe9*/").replace(b"MADE", b"\xc3\xff\\\n"))
    words = ["--target", "host", "--rounding", rounding, "-o", tmp_path / "firmware"]
    code, _, complaint = auscult("firmware", path, *words)
    assert (code, complaint) == (0, "")
    assert made(tmp_path / "firmware")["differing_bytes"] == 0
    code, said, _ = auscult("plan", path, "--target", "host")
    assert (code, r"\xc3\xff" in said) == (0, True)
