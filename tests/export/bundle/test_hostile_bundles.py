"""Files of a bundle that somebody changed and sealed anew: a sentence or a result, and nothing else."""

import json
import subprocess
import sys

import mutate_bundle
import numpy as np
import pytest
from tiny_bundle import tiny_bundle

from export.bundle.manifest import GOLDEN_FILE, MANIFEST_FILE, ONNX_FLOAT_FILE, ONNX_INT8_FILE, TFLITE_FILE
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
