"""What the generated C decides of recordings and cycles is what LiteRT's reference kernels do, byte for byte."""

import numpy as np
import pytest

from auscult.ledger.classifier import open_classifier
from firmware_bridge.device.targets import find_target, missing_packages
from lungsound.errors import InputError


@pytest.fixture
def gcc():
    if packages := missing_packages(find_target("host")):
        pytest.skip(f"needs {packages}")


@pytest.mark.slow
def test_the_c_decides_as_litert(gcc, small_bundle, small_options, monkeypatch, place):
    monkeypatch.setenv("AUSCULT_CACHE", str(place / "cache"))
    selection, listening = small_options.select(), small_bundle.manifest.listening
    for protocol in ("stream", "cycles"):
        windows = selection.windows("test", [protocol], listening)
        windows = windows[windows["recording"].isin(windows["recording"].unique()[:4])].reset_index(drop=True)
        said = [open_classifier(small_bundle.path, "double", engine).decide(windows) for engine in ("litert", "c")]
        for one, other in zip(*said, strict=True):
            np.testing.assert_array_equal(one, other)
        assert len(np.unique(said[0][0], axis=0)) > 3


def test_an_engine_that_is_none_is_refused(small_bundle):
    with pytest.raises(InputError, match="--engine fpga: choose litert or c"):
        open_classifier(small_bundle.path, "double", "fpga")
