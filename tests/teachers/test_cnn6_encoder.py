"""PANNs' CNN6 as an encoder: published numbers, published files, and a place for 0."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from published_panns import published_file
from safetensors.torch import load_file

from lungsound.errors import InputError
from lungsound.logmel import SPECS
from teachers.panns import Cnn6Encoder
from teachers.teacher import Teacher, TeacherConfig

SHARED = Path(os.environ.get("AUSCULT_SHARED", Path(__file__).parents[2].parent / "shared"))


def published(path, seed=0):
    """A published file of a narrow CNN6 whose bands have statistics of their own."""
    torch.manual_seed(seed)
    mean, variance = -30 + 8 * torch.randn(64), 50 + 40 * torch.rand(64)
    published_file(path, **{"bn0.running_mean": mean, "bn0.running_var": variance})
    return mean.double(), variance.double()


@pytest.mark.usefixtures("shared")
@torch.inference_mode()
def test_fixture_embedding_is_the_published_pooling(tmp_path):
    """The last block, averaged over frequency, then mean plus maximum over time, is what PANNs classify."""
    case = json.loads((SHARED / "reference/fixtures/panns/fixture.json").read_text())["cases"][0]
    stored = load_file(SHARED / "reference/fixtures/panns" / case["file"])
    path = tmp_path / "Cnn6.pth"
    torch.save({"model": {k.removeprefix("weights/"): v for k, v in stored.items() if k.startswith("weights/")}}, path)
    encoder = Cnn6Encoder.read(path).eval()
    heard, logmel = encoder.logmel, stored["outputs/log_mel"]
    x = (logmel - heard.mean) / heard.std
    last = encoder.encode_layers(x.mT)[-1]
    wanted = stored["outputs/feature_map"]
    scale = float(wanted.abs().max())
    torch.testing.assert_close(last, wanted.permute(0, 3, 2, 1), rtol=1e-4, atol=1e-4 * max(1, scale))
    teacher = Teacher(TeacherConfig(encoder.config, (4,), learnable=False, pooling="mean")).eval()
    teacher.encoder.load_state_dict(encoder.state_dict())
    torch.testing.assert_close(teacher(x).embedding, stored["outputs/pooled"], rtol=1e-4, atol=1e-4 * max(1, scale))


def test_statistics_over_all_bands(tmp_path):
    mean, variance = published(tmp_path / "Cnn6.pth")
    heard = Cnn6Encoder.read(tmp_path / "Cnn6.pth").logmel
    values = mean + variance.sqrt() * torch.randn(200_000, 64, dtype=torch.float64)
    assert heard.mean == pytest.approx(float(values.mean()), abs=0.02)
    assert heard.std == pytest.approx(float(values.std()), rel=1e-3)
    assert heard.with_statistics(0, 1) == SPECS["panns_32k"]


@torch.inference_mode()
def test_layers_are_the_outputs_of_the_blocks(tmp_path):
    published(tmp_path / "Cnn6.pth")
    encoder = Cnn6Encoder.read(tmp_path / "Cnn6.pth").eval()
    x = torch.randn(2, 1, 64, 100)
    grids = encoder.encode_layers(x)
    assert [tuple(grid.shape) for grid in grids] == [(2, 32, 50, 8), (2, 16, 25, 16), (2, 8, 12, 24), (2, 4, 6, 32)]
    following = encoder.trunk.conv_block3(grids[1].permute(0, 3, 2, 1))
    torch.testing.assert_close(grids[2].permute(0, 3, 2, 1), following)


@pytest.mark.parametrize(("size", "said"), [("tiny", "a width such as 0.25"), ("0", "between"), ("nan", "between")])
def test_sizes_are_widths(size, said, small_options):
    listening = small_options.listening()
    assert Cnn6Encoder.scratch_config("0.5", listening).widths == (32, 64, 128, 256)
    with pytest.raises(InputError, match=said):
        Cnn6Encoder.scratch_config(size, listening)


@pytest.mark.parametrize("shape", [(1, 1, 40, 100), (1, 1, 64, 15)])
def test_other_inputs_are_refused(shape, small_options):
    encoder = Cnn6Encoder(Cnn6Encoder.scratch_config("0.0625", small_options.listening()))
    with pytest.raises(InputError, match="mels"):
        encoder.encode_layers(torch.zeros(shape))


@pytest.fixture(scope="module")
def cnn_teacher(place, small_options, tmp_path_factory):
    """A teacher that starts from a published file, its encoder frozen."""
    from teachers.settings import FinetuneSettings
    from teachers.training import finetune

    path = tmp_path_factory.mktemp("weights") / "Cnn6_mAP=0.343.pth"
    published(path)
    options = replace(small_options, logmel="panns_32k")
    settings = FinetuneSettings("cnn6", weights=str(path), data=options, epochs=1, freeze=True, learning_rate=1e-2)
    return path, finetune(settings, place / "runs" / "cnn-teacher", place / "cache")


def test_a_published_cnn_teaches_and_is_credited(cnn_teacher):
    path, run = cnn_teacher
    assert run.teacher["name"] == "Cnn6_mAP=0.343"
    assert "CC BY 4.0" in run.teacher["licence"]
    assert run.listening.logmel == Cnn6Encoder.read(path).logmel
    assert run.model["encoder"]["name"] == "cnn6"


def test_frozen_means_not_a_value_of_the_encoder_changes(cnn_teacher):
    path, run = cnn_teacher
    teacher = Teacher.load(run.model, run.weights)
    before = Cnn6Encoder.read(path).state_dict()
    after = teacher.encoder.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before), "batch statistics count, too"
    assert (teacher.fusion.weight != 1).all()
    assert teacher.head.bias.abs().min() > 0


def test_a_student_learns_from_a_cnn(cnn_teacher, small_settings, place):
    from distill.training import distill

    _, teacher = cnn_teacher
    taught = replace(small_settings, teacher_run=str(teacher.path), epochs=1)
    run = distill(taught, place / "runs" / "from-cnn", place / "cache")
    assert run.teacher["name"] == "Cnn6_mAP=0.343"
    assert "CC BY 4.0" in run.teacher["licence"]
    assert run.listening.logmel.sample_rate == 4000
