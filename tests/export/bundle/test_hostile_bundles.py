"""Files of a bundle that somebody changed and sealed anew: a sentence or a result, and nothing else."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import mutate_bundle
import numpy as np
import pytest
from tiny_bundle import tiny_bundle

from auscult.cli import main
from export.bundle.manifest import FILES, GOLDEN_FILE, MANIFEST_FILE, ONNX_FLOAT_FILE, ONNX_INT8_FILE, TFLITE_FILE
from export.bundle.memory import MOST, limited_memory
from lungsound.errors import InputError

COUNT = 300


@pytest.mark.slow
@pytest.mark.parametrize("name", [MANIFEST_FILE, GOLDEN_FILE, TFLITE_FILE, ONNX_INT8_FILE, ONNX_FLOAT_FILE])
def test_a_sealed_mutation_is_a_sentence_or_a_result(tmp_path_factory, name):
    bundle = tiny_bundle(tmp_path_factory)
    command = [sys.executable, mutate_bundle.__file__, str(bundle.path), name, str(COUNT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert sum(found["fates"].values()) == COUNT
    assert min(found["fates"].values()) > 20  # both refused and used: neither the seal nor the damage decides alone
    assert found["peak_bytes"] < 1 << 30


def test_what_takes_more_memory_than_any_model_is_one_sentence():
    with pytest.raises(InputError, match="needs more than 1024 MB of memory"), limited_memory():
        np.empty(MOST + (64 << 20), np.int8)
    with limited_memory():
        assert np.empty(1 << 20, np.int8).size == 1 << 20
    assert np.empty(MOST + (64 << 20), np.int8).size > MOST  # the limit ends with the block


@pytest.mark.parametrize("name", [*FILES, MANIFEST_FILE])
@pytest.mark.parametrize("command", ["check", "evaluate", "bench", "bench --target", "plan", "firmware"])
def test_every_command_that_opens_a_bundle_notices_a_flipped_bit(
    tmp_path_factory, tmp_path, capsys, monkeypatch, name, command
):
    copy = Path(shutil.copytree(tiny_bundle(tmp_path_factory).path, tmp_path / "bundle"))
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 3] ^= 1
    (copy / name).write_bytes(content)
    target = ["--target", "host"] if command in ("bench --target", "plan", "firmware") else []
    output = ["-o", copy.parent / "out"] if command == "firmware" else []
    data = ["--data", "synthetic"] if command == "evaluate" else []
    words = ["auscult", command.split()[0], copy, *target, *output, *data]
    monkeypatch.setattr(sys, "argv", [str(word) for word in words])
    with pytest.raises(SystemExit) as stopped:
        main()
    said = capsys.readouterr()
    assert (stopped.value.code, said.out) == (1, "")
    assert f"error: {copy / name}: " in said.err.replace("\n", "")
    assert not (copy.parent / "out").exists()
