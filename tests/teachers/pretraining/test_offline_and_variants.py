"""M2D-X and what M2D is compared with: each trains a step, and its checkpoint goes on where it may."""

import json
from dataclasses import replace

import pytest
import torch
from fixture_cases import FIXTURES
from safetensors.torch import load_file
from typer.testing import CliRunner

from auscult.cli import build
from lungsound.errors import InputError
from lungsound.listening import Listening
from lungsound.logmel import SPECS
from lungsound.training.data import DataOptions
from lungsound.training.weights import read_checkpoint
from teachers.encoder import find
from teachers.m2d.config import SIZES, M2DConfig
from teachers.m2d.duo import PREDICTORS, Duo, DuoConfig
from teachers.m2d.full_checkpoints import read_duo
from teachers.m2d.masking import Mask
from teachers.m2d.names import M2DName
from teachers.pretraining.offline import OfflineTeacher
from teachers.pretraining.settings import PretrainSettings, crop_seconds
from teachers.pretraining.training import pretrain
from teachers.settings import FinetuneSettings
from teachers.training import finetune


@pytest.fixture(scope="module")
def settings(small_options):
    """One step."""
    options = DataOptions(small_options.data, logmel="m2d", seconds=crop_seconds("m2d", 32), validation=0.34)
    told = {"size": "tiny", "frames": 32, "min_clips": 4, "batch_size": 4, "epochs": 1, "warm_up": 0.0}
    return PretrainSettings(data=options, **told, precision="32-true", date="261128")


@pytest.fixture(scope="module")
def full(settings, place, tmp_path_factory):
    """The full checkpoint of an M2D."""
    run = pretrain(settings, tmp_path_factory.mktemp("pretrained") / "m2d", place / "cache")
    return next(run.path.glob("m2d_vit_tiny-*/checkpoint-1.pth"))


@pytest.mark.parametrize(
    ("changes", "name", "loss"),
    [
        (
            {"variant": "all-patches", "averaged": "all", "target_start": "online"},
            "m2d_all_vit_tiny",
            0,
        ),
        ({"variant": "mae"}, "msm_mae_vit_tiny", 0),
        ({"offline": "labels"}, "m2d_as_vit_tiny", 1),
        ({"offline": "source", "routing": "code"}, "m2d_x_vit_tiny", 1),
        ({"offline": "teacher", "routing": "paper"}, "m2d_x_vit_tiny", 1),
    ],
    ids=["all patches, full average", "mae", "labels", "source", "teacher of another log-mel"],
)
def test_every_kind_trains_and_is_published(
    changes, name, loss, settings, full, small_teacher, small_options, place, tmp_path
):
    if changes.get("offline") == "source":
        changes = changes | {"weights": str(full)}
    if changes.get("offline") == "teacher":
        changes = changes | {"teacher_run": str(small_teacher.path)}
    if "routing" in changes:
        changes = changes | {"noise": small_options.data}
    run = pretrain(replace(settings, **changes), tmp_path / "run", place / "cache")
    (file,) = run.path.glob("*/checkpoint-1.pth")
    assert M2DName.parse(file.parent.name).model == name
    assert (run.validation["offline_loss"] > 0) == bool(loss)
    assert 0 < run.validation["online_variance"] < 1


def test_pretraining_goes_on_from_a_full_checkpoint_alone(full, tmp_path):
    before = read_checkpoint(full)["model"]
    duo = read_duo(full, "m2d", "all", offline=7)
    assert duo.state_dict()["target_cls_token"].equal(before["cls_token"])  # what the published layout lacks
    assert duo.state_dict()["target_blocks.1.mlp.fc1.weight"].equal(before["target_blocks.1.mlp.fc1.weight"])
    assert duo.offline_predictor.weight.shape == (7, 5 * 128)

    alone = tmp_path / full.parent.name / "checkpoint-1.pth"
    alone.parent.mkdir()
    torch.save({name: value for name, value in before.items() if not name.startswith(("decoder", "target"))}, alone)
    with pytest.raises(InputError, match="holds the encoder alone, as names that end in _enconly say"):
        read_duo(alone, "m2d", "blocks", 0)
    wider = tmp_path / "m2d_vit_small-80x32p16x16p16k-x" / "checkpoint-1.pth"
    wider.parent.mkdir()
    torch.save({"model": before}, wider)
    with pytest.raises(InputError, match="cls_token is"):
        read_duo(wider, "m2d", "blocks", 0)


def test_finetuning_starts_from_a_pretrained_run(full, small_options, place, tmp_path):
    options = replace(small_options, logmel="m2d")
    told = FinetuneSettings(data=options, epochs=1, layers=(2, 4), from_run=str(full.parents[1]), freeze=True)
    run = finetune(told, tmp_path / "run", place / "cache")
    encoder, trained = load_file(full.parents[1] / "weights.safetensors"), load_file(run.weights)
    assert all(trained[f"encoder.{name}"].equal(value) for name, value in encoder.items())
    assert run.teacher["name"] == "m2d-tiny-pretrained"


@pytest.mark.parametrize(
    ("name", "offline"),
    [
        ("m2d_vit_base-80x608p16x16", 0),
        ("m2d_as_vit_base-80x608p16x16", 527),
        ("m2d_x_vit_base-80x200p16x4", 3840),
    ],
)
@pytest.mark.usefixtures("shared")
def test_fixture_m2d_full_keys(name, offline):
    wanted = json.loads((FIXTURES / "m2d_full" / f"keys_{name}.json").read_text())
    told = M2DName.parse(name)
    config = M2DConfig(*SIZES["base"], told.input_size, told.patch_size)
    with torch.device("meta"):
        duo = Duo(DuoConfig(config, PREDICTORS["base"], offline=offline))
    shapes = {key: list(value.shape) for key, value in duo.state_dict().items()}
    assert shapes == {key: value if isinstance(value[0], int) else value[0] for key, value in wanted.items()}


def test_a_cnn_teaches_by_columns():
    torch.manual_seed(0)
    logmel = SPECS["device_4k"]
    kind, _ = find("cnn6")
    teacher = OfflineTeacher(kind(kind.scratch_config("0.125", Listening(logmel, 4.0, 2.048))), logmel)
    x = torch.randn(2, 1, logmel.n_mels, 128)
    columns = teacher.columns(x, 5)
    assert columns.shape == (2, 5, teacher.features)
    assert not columns.requires_grad


def test_nothing_of_the_target_is_trained_or_in_a_graph():
    torch.manual_seed(0)
    config = M2DConfig(32, 2, 2, (80, 64), (16, 16))
    for variant in ("m2d", "all-patches"):
        duo = Duo(DuoConfig(config, (32, 1, 1), variant, "all"))
        output = duo(torch.randn(2, 1, 80, 64), Mask(torch.rand(2, 20).argsort(dim=1), 6))
        assert not output.target.requires_grad
        assert not any(target.requires_grad for target, _ in duo.averaged_pairs())
        assert output.latent.shape == (2, 7, 32)  # hidden patches never reach the encoder


def test_what_is_hidden_does_not_reach_the_online_encoder_or_the_target_what_is_visible():
    torch.manual_seed(0)
    duo = Duo(DuoConfig(M2DConfig(32, 2, 2, (80, 64), (16, 16)), (32, 1, 1)))
    x, mask = torch.randn(1, 1, 80, 64), Mask(torch.arange(20)[None], 4)  # the lowest row of patches is visible
    changed = x.clone()
    changed[..., 16:, :] = 0
    assert duo(changed, mask).latent.equal(duo(x, mask).latent)
    changed = x.clone()
    changed[..., :16, :] = 0
    assert duo(changed, mask).target.equal(duo(x, mask).target)
    everything = Duo(DuoConfig(duo.config, (32, 1, 1), "all-patches"))
    assert not everything(changed, mask).target.equal(everything(x, mask).target)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--batch-size", "64", "--min-clips", "0"], "clips in an epoch are less than a step of 64"),
        (["--batch-size", "5", "--accumulate", "2"], "must divide by --accumulate 2"),
        (["--offline", "teacher"], "--offline teacher takes one of --teacher and --teacher-run"),
        (["--offline", "source"], "--offline source needs --weights"),
        (["--variant", "mae", "--offline", "labels"], "no offline branch"),
        (["--strategy", "fsdp"], "shares out work; give --devices 2"),
        (["--frames", "30"], "must be whole patches of 16"),
        (["--patch", "15x16"], "patches must fill the mels"),
        (["--repeat", "1", "--repeat", "2"], "2 values of --repeat for 1 corpora"),
    ],
)
def test_bad_options_are_a_sentence(options, sentence, place, small_options, tmp_path, monkeypatch):
    monkeypatch.setenv("AUSCULT_CACHE", str(place / "cache"))
    base = ["pretrain", "--data", small_options.data[0], "--size", "tiny", "--frames", "32", "--min-clips", "8"]
    result = CliRunner().invoke(build(), [*base, "--batch-size", "4", *options, "--runs", str(tmp_path / "runs")])
    assert isinstance(result.exception, InputError), result.output
    assert sentence in str(result.exception)
    assert not (tmp_path / "runs").exists()
