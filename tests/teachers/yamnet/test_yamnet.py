"""YAMNet as an encoder: each layer beside LiteRT running the published file, and files that are not it."""

import math
import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
import torch
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.tflite.reader import parse_tflite
from lungsound.errors import InputError
from lungsound.logmel import SPECS, log_mel, normalise
from lungsound.training.data import DataOptions
from teachers.encoder import card_of, find
from teachers.pretraining.offline import OfflineTeacher
from teachers.settings import FinetuneSettings, usual_logmel
from teachers.start import start_of
from teachers.yamnet.encoder import PATCH, YamnetConfig, YamnetEncoder
from teachers.yamnet.network import STRIDES

SHARED = Path(os.environ.get("AUSCULT_SHARED", Path(__file__).parents[3].parent / "shared"))
PUBLISHED = SHARED / "data" / "weights" / "yamnet_spectra_in_int8.tflite"
SPEC = SPECS["yamnet"]

pytestmark = pytest.mark.usefixtures("shared")


@pytest.fixture(scope="module")
def encoder():
    return YamnetEncoder.read(PUBLISHED).eval()


class LiteRT:
    """The published file, each of its tensors after a patch."""

    def __init__(self):
        plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        self._run = Interpreter(
            str(PUBLISHED), experimental_preserve_all_tensors=True, experimental_op_resolver_type=plain
        )
        self._run.allocate_tensors()
        self.graph = parse_tflite(PUBLISHED.name, PUBLISHED.read_bytes())

    def hear(self, patch):
        self._run.set_tensor(self.graph.inputs[0], patch[None].astype(np.float32))
        self._run.invoke()
        return self.real(self.graph.outputs[0])[0]

    def real(self, index):
        tensor, values = self.graph.tensors[index], self._run.get_tensor(index)
        return (values.astype(np.float64) - tensor.zero_point) * tensor.scale if tensor.scales else values

    def steps(self, *kinds):
        return [step for step in self.graph.ops if step.kind in kinds]


@pytest.fixture(scope="module")
def litert():
    return LiteRT()


def recording(files, place=0):
    wave, rate = soundfile.read(sorted((SHARED / "data" / "esc10").glob(files))[place])
    return log_mel(SPEC, soxr.resample(wave, rate, SPEC.sample_rate))


def heard(encoder, logmel):
    """Return what an encoder takes of a log-mel [frames, mels]."""
    return torch.from_numpy(normalise(encoder.logmel, logmel)).float().mT[None, None]


@pytest.mark.parametrize("files", ["004*/1-*", "006*/2-*"])
@torch.inference_mode()
def test_each_convolution_is_litert_s_to_half_a_step(encoder, litert, files):
    litert.hear(recording(files)[:PATCH])
    steps = litert.steps("CONV_2D", "DEPTHWISE_CONV_2D")
    modules = [part for layer in encoder.trunk.layers for part in layer]
    assert len(steps) == len(modules) == 27
    for step, module in zip(steps, modules, strict=True):
        before = torch.from_numpy(litert.real(step.inputs[0])).float().permute(0, 3, 1, 2)
        after = module(before).permute(0, 2, 3, 1).numpy()
        scale = litert.graph.tensors[step.outputs[0]].scale
        highest = 255 * scale  # of one layer it is less than 6
        tolerance = 0.6 * scale  # its sums are rounded twice
        np.testing.assert_allclose(np.minimum(after, highest), litert.real(step.outputs[0]), rtol=0, atol=tolerance)


@torch.inference_mode()
def test_every_layer_from_the_log_mel_on_is_litert_s(encoder, litert):
    patch = recording("006*/2-*")[:PATCH]
    litert.hear(patch)
    grids = encoder.encode_layers(heard(encoder, patch))
    assert [(grid.shape[1], grid.shape[3]) for grid in grids] == list(encoder.shapes)
    for grid, step in zip(grids, litert.steps("CONV_2D"), strict=True):
        theirs = litert.real(step.outputs[0])
        ours = grid.transpose(1, 2).numpy()
        assert ours.shape == theirs.shape
        assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.998


@torch.inference_mode()
def test_the_right_sounds_are_on_top(encoder, litert):
    """Rain, crying babies and clocks at 8 kHz: of 521 classes the right one leads in more than half of them."""
    step = litert.steps("FULLY_CONNECTED")[0]
    weight, bias = (litert.real(index).squeeze() for index in step.inputs[1:])
    classes = {"002": {282, 283, 284, 285}, "004": {19, 20}, "005": {398, 399, 400, 401, 402}}
    right = 0
    for folder, numbers in classes.items():
        for place in range(8):
            logmel = recording(f"{folder}*/*", place)[: 4 * PATCH]
            columns = encoder.encode_layers(heard(encoder, logmel))[-1].mean(1)[0]  # three a patch
            logits = columns.unflatten(0, (4, 3)).mean(1).double().numpy() @ weight.T + bias
            right += int((1 / (1 + np.exp(-logits))).mean(0).argmax()) in numbers
        litert.hear(logmel[-PATCH:])
        np.testing.assert_allclose(logits[-1], litert.real(step.outputs[0])[0], rtol=0, atol=1.0)
    assert right > 12


def test_its_log_mel_is_the_published_one():
    """Frames of 400 samples, Hann, magnitudes of 512 bins, HTK's mel scale in which triangles are straight, ln."""
    wave = np.random.default_rng(0).normal(0, 0.1, 3000)
    edges = np.linspace(*(1127 * np.log1p(np.array([125.0, 7500.0]) / 700)), 66)
    bins = 1127 * np.log1p(np.arange(257) * 16000 / 512 / 700)
    for frame, row in enumerate(log_mel(SPEC, wave)):
        piece = wave[160 * frame + 56 :][:400] * (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400))
        magnitudes = np.abs(np.fft.rfft(piece, 512))
        bands = [
            magnitudes @ np.maximum(0, np.minimum((bins - low) / (middle - low), (high - bins) / (high - middle)))
            for (low, middle), (_, high) in pairwise(pairwise(edges))
        ]
        np.testing.assert_allclose(row, np.log(np.array(bands) + 0.001), rtol=0, atol=1e-9)


@torch.inference_mode()
def test_patches_stand_side_by_side_and_the_last_ends_with_the_sound(encoder):
    logmel = recording("004*/1-*")
    for frames in (2 * PATCH, PATCH + 37, PATCH - 19):
        x = heard(encoder, logmel[:frames])
        whole, rest = divmod(frames, PATCH)
        pieces = [x[..., place * PATCH : (place + 1) * PATCH] for place in range(whole)]
        expected = [list(layers) for layers in zip(*map(encoder.encode_layers, pieces), strict=True)] or [[]] * 14
        last = encoder.encode_layers(x[..., -PATCH:])
        for grid, parts, end, stride in zip(
            encoder.encode_layers(x), expected, last, np.cumprod(STRIDES).tolist(), strict=True
        ):
            if rest:
                parts = [*parts, end[:, :, -math.ceil(rest / stride) :]]
            torch.testing.assert_close(grid, torch.cat(parts, dim=2), rtol=1e-4, atol=1e-4)
            assert grid.shape[2] == whole * PATCH // stride + math.ceil(rest / stride)


def test_it_is_a_teacher_by_its_name():
    assert card_of("yamnet").name == YamnetEncoder.name_of(PUBLISHED) == "yamnet_spectra_in"
    assert usual_logmel("yamnet", "published", None) == "yamnet"
    options = DataOptions(logmel="yamnet")
    start = start_of(FinetuneSettings("yamnet", weights=str(PUBLISHED), layers=(14,), pooling="mean", data=options))
    assert (start.credit["name"], start.credit["licence"]) == ("yamnet_spectra_in", "Apache-2.0")
    assert start.teacher.embedding_dim == 1024
    assert start.logmel.with_statistics(0, 1) == SPEC
    with pytest.raises(InputError, match="expects 16000 Hz; give --logmel yamnet"):
        start_of(FinetuneSettings("yamnet", weights=str(PUBLISHED)))
    teacher = OfflineTeacher(start.teacher.encoder, start.logmel)
    assert teacher.columns(torch.randn(2, 1, 64, 197), 5).shape == (2, 5, teacher.features)


def test_from_scratch_it_has_batch_normalisation_and_any_width():
    kind, _ = find("yamnet")
    config = kind.scratch_config("0.25", DataOptions().listening())
    assert config == YamnetConfig((8, 16, 32, 32, 64, 64, *[128] * 6, 256, 256), 64)
    encoder = kind(config)
    assert encoder.norm_stats.tolist() == [0, 1]
    assert sum(isinstance(part, torch.nn.BatchNorm2d) for part in encoder.modules()) == 27
    with pytest.raises(InputError, match=r"choose from a width such as 0\.25"):
        kind.scratch_config("tiny", DataOptions().listening())
    for values in ((config.widths[1:], 64), (config.widths, 0), (config.widths, 64, 1)):
        with pytest.raises(InputError, match="YAMNet encoder"):
            YamnetConfig(*values)


def refused(path, content):
    path.write_bytes(content)
    with pytest.raises(InputError) as error:
        YamnetEncoder.read(path)
    said = str(error.value)
    assert said.startswith(f"{path}: ")
    assert "get yamnet_spectra_in.tflite from https://" in said
    return said


@pytest.mark.parametrize("kept", [0, 7, 8, 64, 4096, 2_000_000, 4_000_000])
def test_a_file_that_is_cut(kept, tmp_path):
    said = refused(tmp_path / "yamnet.tflite", PUBLISHED.read_bytes()[:kept])
    assert ("cut or damaged" if kept >= 8 else "no .tflite file") in said


def test_other_networks(tmp_path):
    others = [*(SHARED / "data" / "zoo").glob("*.tflite"), *(SHARED / "data" / "mlperf_tiny").glob("*.tflite")]
    assert len(others) > 60
    for other in others:
        said = refused(tmp_path / "yamnet.tflite", other.read_bytes())
        assert "not YAMNet as int8 behind a log-mel (" in said, (other, said)
    mn04 = PUBLISHED.parent / "mn04_as_mAP_432.pt"
    assert "no .tflite file" in refused(tmp_path / "yamnet.tflite", mn04.read_bytes())
    with pytest.raises(InputError, match=r"missing\.tflite"):
        YamnetEncoder.read(tmp_path / "missing.tflite")


@settings(max_examples=15)
@given(data=st.data())
def test_a_file_that_is_changed_is_refused_or_finite(data, tmp_path_factory):
    content = bytearray(PUBLISHED.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        # Its tables lie at the end, behind the weights.
        where = data.draw(st.integers(0, 400) | st.integers(len(content) - 40_000, len(content) - 4))
        content[where : where + 4] = data.draw(st.binary(min_size=4, max_size=4))
    path = tmp_path_factory.mktemp("changed") / "yamnet.tflite"
    path.write_bytes(content)
    state = read_or_refused(path)
    assert len(state.splitlines()) == 1 if isinstance(state, str) else all(map(all_finite, state.values()))


def read_or_refused(path):
    try:
        return YamnetEncoder.read(path).state_dict()
    except InputError as error:
        return str(error)


def all_finite(value):
    return bool(torch.isfinite(value).all())
