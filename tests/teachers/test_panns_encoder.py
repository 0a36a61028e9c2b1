"""PANNs' CNNs as encoders: published numbers, published files, and a place for 0."""

import json
from dataclasses import replace

import pytest
import torch
from fixture_cases import Case, cases
from published_panns import published_file

from lungsound.errors import InputError
from lungsound.logmel import SPECS
from lungsound.networks.cnn14 import Cnn14
from teachers.encoder import card_of, config_from, config_values, encoders
from teachers.panns import Cnn6Encoder
from teachers.teacher import Teacher, TeacherConfig


def published(path, seed=0):
    """A published file of a narrow CNN6 whose bands have statistics of their own."""
    torch.manual_seed(seed)
    mean, variance = -30 + 8 * torch.randn(64), 50 + 40 * torch.rand(64)
    published_file(path, **{"bn0.running_mean": mean, "bn0.running_var": variance})
    return mean.double(), variance.double()


NARROW = [param for param in cases("panns") if not param.id.startswith("full_")]


@pytest.mark.usefixtures("shared")
@pytest.mark.parametrize("case", NARROW)
@torch.inference_mode()
def test_fixture_embedding_is_the_published_pooling(case, tmp_path):
    """The last block, averaged over frequency, then mean plus maximum over time, is what PANNs classify."""
    kind, case = encoders()[case["meta"]["kind"].lower()], Case("panns", case)
    torch.save({"model": case.weights}, tmp_path / "weights.pth")
    encoder = kind.read(tmp_path / "weights.pth").eval()
    heard = encoder.logmel
    x = (case.outputs["log_mel"] - heard.mean) / heard.std
    layers = encoder.encode_layers(x.mT)
    case.close(layers[-1].permute(0, 3, 2, 1), "feature_map")
    teacher = Teacher(TeacherConfig(encoder.config, (len(layers),), learnable=False, pooling="mean")).eval()
    teacher.encoder.load_state_dict(encoder.state_dict())
    case.close(teacher(x).embedding, "pooled")


def test_the_file_tells_what_an_encoder_hears(tmp_path):
    published_file(tmp_path / "renamed.pth", [8] * 6, Cnn14, "panns_16k")
    encoder = encoders()["cnn14"].read(tmp_path / "renamed.pth")
    assert encoder.logmel.with_statistics(0, 1) == SPECS["panns_16k"]
    assert config_from(json.loads(json.dumps(config_values(encoder.config)))) == encoder.config
    assert card_of("cnn14_16k").logmel == "panns_16k"


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

    folder = tmp_path_factory.mktemp("cnn")
    path = folder / "Cnn6_mAP=0.343.pth"
    published(path)
    options = replace(small_options, logmel="panns_32k")
    settings = FinetuneSettings("cnn6", weights=str(path), data=options, epochs=1, freeze=True, learning_rate=1e-2)
    return path, finetune(settings, folder / "cnn-teacher", place / "cache")


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
