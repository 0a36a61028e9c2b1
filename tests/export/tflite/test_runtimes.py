"""Runtimes: the same answers for the same codes, and a sentence for what they cannot run."""

import importlib.util
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from tiny_bundle import tiny_bundle

from export.bundle.manifest import ONNX_FLOAT_FILE, ONNX_INT8_FILE, TFLITE_FILE
from export.bundle.runtimes import RUNTIMES, as_input, as_logits, load_runtime, probabilities
from export.onnx.runtime import OnnxRuntime
from export.tflite.runtime import LiteRT
from lungsound.errors import InputError
from lungsound.quantization import Quantization


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return tiny_bundle(tmp_path_factory)


@pytest.mark.parametrize("name", RUNTIMES)
def test_every_runtime_decides_what_float_decides(bundle, name):
    golden, manifest = bundle.golden, bundle.manifest
    exact, runtime = bundle.load("onnxruntime_float"), bundle.load(name)
    logits, expected = (
        as_logits(model, model.run(as_input(model, golden.codes, manifest.input))) for model in (runtime, exact)
    )
    assert logits.shape == (len(golden.codes), 2)
    assert np.abs(probabilities(logits) - probabilities(expected)).max() < 0.1


@pytest.mark.parametrize("name", RUNTIMES)
def test_windows_do_not_know_of_each_other(bundle, name):
    runtime = bundle.load(name)
    windows = as_input(runtime, bundle.golden.codes, bundle.manifest.input)
    together = runtime.run(windows)
    alone = [runtime.run(windows[index : index + 1])[0] for index in reversed(range(len(windows)))]
    np.testing.assert_array_equal(together, alone[::-1])
    assert len(runtime.run(windows[:0])) == 0


@pytest.mark.parametrize("name", RUNTIMES)
def test_threads_change_no_decision(bundle, name):
    one, two = (bundle.load(name, threads) for threads in (1, 2))
    windows = as_input(one, bundle.golden.codes, bundle.manifest.input)
    np.testing.assert_allclose(one.run(windows), two.run(windows), rtol=1e-4, atol=1e-4)


def test_kernels_are_two_sets(bundle):
    """XNNPACK rounds once, the reference kernels twice: over many windows some bytes differ, none by much."""
    rng = np.random.default_rng(0)
    codes = rng.integers(-128, 128, (60, *bundle.golden.codes.shape[1:]), np.int8)
    model = bundle.contents[TFLITE_FILE]
    once, twice = (LiteRT(model, kernels).run(codes).astype(int) for kernels in ("xnnpack", "reference"))
    assert (once != twice).any()
    assert np.abs(once - twice).max() <= 12


@pytest.mark.parametrize("load", [LiteRT, OnnxRuntime])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.999])
def test_a_cut_model_is_refused_in_a_sentence(bundle, load, share):
    content = bundle.contents[TFLITE_FILE if load is LiteRT else ONNX_INT8_FILE]
    with pytest.raises(InputError, match="not a model that") as refused:
        load(content[: int(share * len(content))])
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", RUNTIMES)
def test_something_else_is_refused_with_the_files_name(bundle, name):
    with pytest.raises(InputError, match=RUNTIMES[name].file):
        load_runtime(name, b"RIFF....WAVEfmt ", bundle.manifest)


@pytest.mark.parametrize("change", [{"input": Quantization(0.5, 0)}, {"output": Quantization(0.1, 3)}])
def test_scales_must_be_the_manifests(bundle, change):
    with pytest.raises(InputError, match="not the manifest's"):
        load_runtime("litert_xnnpack", bundle.contents[TFLITE_FILE], replace(bundle.manifest, **change))


@pytest.mark.parametrize("name", RUNTIMES)
def test_shapes_must_be_the_manifests(bundle, name):
    listening = replace(bundle.manifest.listening, seconds=3.0)
    with pytest.raises(InputError, match="where the manifest has"):
        load_runtime(name, bundle.contents[RUNTIMES[name].file], replace(bundle.manifest, listening=listening))


def test_foreign_int8_models_are_refused(shared, bundle):
    for file in sorted((shared / "data" / "mlperf_tiny").glob("*.tflite")):
        with pytest.raises(InputError, match=TFLITE_FILE):
            load_runtime("litert_xnnpack", file.read_bytes(), bundle.manifest)


def test_a_float_model_takes_the_values_that_codes_stand_for(bundle):
    runtime = OnnxRuntime(bundle.contents[ONNX_FLOAT_FILE])
    codes = np.array([[-128, 0, 127]], np.int8)
    values = as_input(runtime, codes, Quantization(0.5, -8))
    assert values.dtype == np.float32
    assert values.tolist() == [[-60.0, 4.0, 67.5]]


def test_probabilities_survive_extremes():
    found = probabilities(np.array([-1e4, -2.0, 0.0, 2.0, 1e4]))
    np.testing.assert_allclose(found, [0, 1 / (1 + np.exp(2.0)), 0.5, 1 / (1 + np.exp(-2.0)), 1], rtol=1e-12)


def test_onnxruntime_missing_is_a_sentence(bundle, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(InputError, match=r"onnxruntime is not installed; pip install 'auscult-edge\[train\]'"):
        OnnxRuntime(bundle.contents[ONNX_FLOAT_FILE])


@pytest.mark.parametrize(
    "module",
    [
        "export.check",
        "export.command",
        "export.bundle.golden",
        "export.bundle.opening",
        "auscult.bench",
        "export.__main__",
    ],
)
def test_a_board_needs_neither_torch_nor_pandas_nor_onnx(module):
    heavy = ["torch", "pandas", "sklearn", "onnx", "onnxruntime", "nncf", "scipy", "matplotlib"]
    heavy = [name for name in heavy if importlib.util.find_spec(name) is not None]
    code = f"import sys, {module}; print([name for name in {heavy} if name in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
