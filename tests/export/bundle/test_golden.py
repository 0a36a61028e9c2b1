"""The device's input against the formula written out, decisions, and hostile golden vectors."""

import contextlib
import io
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_bundle import tiny_bundle

from export.bundle.golden import Golden, golden_pcm
from lungsound.errors import InputError
from lungsound.front_end import decide, front_end
from lungsound.listening import Listening
from lungsound.logmel import SPECS
from lungsound.mel_bands import mel_filters
from lungsound.quantization import Quantization


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return tiny_bundle(tmp_path_factory)


def test_codes_follow_the_formula_frame_by_frame():
    spec = SPECS["device_4k"].with_statistics(-6.3, 2.9)
    listening = Listening.with_whole_hop(spec, 1.0, 0.5)
    quantization = Quantization(0.031, -17)
    pcm = golden_pcm(listening, 5)
    codes = front_end(listening, quantization, pcm)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(256) / 256)
    turns = np.exp(-2j * np.pi * np.outer(np.arange(129), np.arange(256)) / 256)
    for window in range(len(pcm)):
        for frame in range(0, listening.frames, 5):
            samples = pcm[window, frame * 128 : frame * 128 + 256] / 32768 * hann
            power = mel_filters(spec) @ np.abs(turns @ samples) ** 2
            value = (np.log(power + spec.floor) + 6.3) / 2.9 / 0.031 - 17
            expected = np.clip(np.rint(value), -128, 127)
            # A plain Fourier sum may round a value that lies half-way to the other side.
            clear = np.abs(np.abs(value - np.trunc(value)) - 0.5) > 1e-6
            np.testing.assert_array_equal(codes[window, frame][clear], expected[clear])
            assert clear.mean() > 0.95


def test_windows_of_a_stream_share_their_codes():
    listening = Listening.with_whole_hop(SPECS["device_4k"], 2.0, 1.0)
    quantization, rng = Quantization(0.05, 0), np.random.default_rng(2)
    sound = rng.integers(-3000, 3000, listening.samples + listening.hop_samples).astype(np.int16)
    first = front_end(listening, quantization, sound[: listening.samples])
    second = front_end(listening, quantization, sound[listening.hop_samples :])
    np.testing.assert_array_equal(first[listening.hop_frames :], second[: -listening.hop_frames])


@pytest.mark.parametrize("pcm", [np.zeros((1, 8000), np.float32), np.zeros((1, 7999), np.int16), np.zeros(1, np.int16)])
def test_other_windows_are_refused(pcm):
    listening = Listening.with_whole_hop(SPECS["device_4k"], 2.0, 1.0)
    with pytest.raises(InputError, match="a window is 8000 samples of int16"):
        front_end(listening, Quantization(0.05, 0), pcm)


@given(st.lists(st.tuples(st.integers(-128, 127), st.integers(-128, 127))), st.integers(-128, 128))
def test_decisions_compare_integers(codes, threshold):
    outputs = np.array(codes, np.int8).reshape(-1, 2)
    expected = [[int(code >= threshold) for code in pair] for pair in codes]
    assert decide(outputs, (threshold, threshold)).tolist() == expected


@pytest.mark.parametrize("name", SPECS)
def test_golden_sound_holds_the_extremes(name):
    listening = Listening.with_whole_hop(SPECS[name], 2.0, 1.0)
    pcm = golden_pcm(listening)
    assert pcm.dtype == np.int16
    assert pcm.shape == (8, listening.samples)
    assert not pcm[0].any()
    assert 0 < np.abs(pcm[1]).max() < 8
    assert {-32768, 32767} <= set(pcm[6].tolist())
    np.testing.assert_array_equal(pcm, golden_pcm(listening))


def test_golden_vectors_come_back(bundle):
    golden = bundle.golden
    again = Golden.from_bytes(golden.to_bytes(), bundle.manifest)
    np.testing.assert_array_equal(again.pcm, golden.pcm)
    np.testing.assert_array_equal(again.codes, golden.codes)
    assert again.outputs.keys() == golden.outputs.keys()
    for name, values in golden.outputs.items():
        np.testing.assert_array_equal(again.outputs[name], values)


class Trap:
    """Runs a command when unpickled."""

    def __reduce__(self):
        return (pytest.fail, ("a pickle was opened",))


def npz(**arrays) -> bytes:
    content = io.BytesIO()
    np.savez(content, **arrays)
    return content.getvalue()


def good(bundle) -> dict:
    return {"pcm": bundle.golden.pcm, "codes": bundle.golden.codes} | bundle.golden.outputs


def test_a_pickle_is_never_opened(bundle):
    content = npz(**good(bundle) | {"pcm": np.array([Trap()], dtype=object)})
    with pytest.raises(InputError, match="no plain array"):
        Golden.from_bytes(content, bundle.manifest)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"pcm": ...}, "holds no pcm"),
        ({"codes": ...}, "no codes"),
        ({"pcm": np.int16(3)}, "holds no pcm"),
        ({"pcm": np.zeros((0, 8000), np.int16)}, "holds no pcm"),
        ({"pcm": np.zeros((8, 8000), np.int8)}, "pcm is int8"),
        ({"pcm": np.zeros((7, 8000), np.int16)}, "is due"),
        ({"codes": np.zeros((8, 61, 63), np.int8)}, r"codes is int8 \[8, 61, 63\]"),
        ({"litert_xnnpack": np.zeros((8, 2), np.float32)}, "litert_xnnpack is float32"),
        ({"onnxruntime_int8": np.zeros((8, 3), np.float32)}, r"\[8, 2\] is due"),
        ({"extra": np.zeros((8, 2))}, "no plain array"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(bundle, change, said):
    arrays = {name: values for name, values in (good(bundle) | change).items() if values is not ...}
    with pytest.raises(InputError, match=said):
        Golden.from_bytes(npz(**arrays), bundle.manifest)


def test_a_bomb_is_refused_before_it_goes_off(bundle):
    content = io.BytesIO()
    np.savez_compressed(content, **good(bundle) | {"extra": np.zeros(2**24)})
    with pytest.raises(InputError, match="compressed"):
        Golden.from_bytes(content.getvalue(), bundle.manifest)


def test_a_header_that_promises_more_than_there_is_is_refused(bundle):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive, archive.open("pcm.npy", "w") as member:
        np.lib.format.write_array_header_1_0(member, {"descr": "<i2", "fortran_order": False, "shape": (2**29, 8000)})
    with pytest.raises(InputError, match="not as long"):
        Golden.from_bytes(content.getvalue(), bundle.manifest)


@given(st.data())
def test_damaged_files_are_refused_or_read_but_never_crash(bundle, data):
    content = bytearray(bundle.golden.to_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    del content[data.draw(st.integers(len(content) // 2, len(content))) :]
    with contextlib.suppress(InputError):
        Golden.from_bytes(bytes(content), bundle.manifest)
