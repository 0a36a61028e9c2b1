"""Pre-training from end to end, on a small synthetic corpus."""

import csv
import os
import signal
import socket
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from trained_states import in_a_child, same, state_of

from lungsound.errors import InputError
from lungsound.training.checkpoints import read_training_checkpoint
from lungsound.training.data import DataOptions
from lungsound.training.weights import read_checkpoint
from teachers.m2d.duo import Duo
from teachers.m2d.encoder import M2DEncoder
from teachers.m2d.full_checkpoints import read_duo
from teachers.pretraining.module import PretrainModule
from teachers.pretraining.progress import Progress
from teachers.pretraining.settings import PretrainSettings, crop_seconds
from teachers.pretraining.training import pretrain


@pytest.fixture(scope="module")
def settings(small_options):
    """Two epochs of three steps, each of two parts."""
    options = DataOptions(small_options.data, logmel="m2d", seconds=crop_seconds("m2d", 32), validation=0.34)
    return PretrainSettings(
        data=options,
        size="tiny",
        frames=32,
        min_clips=24,
        batch_size=8,
        accumulate=2,
        epochs=2,
        warm_up=1,
        precision="32-true",
        checkpoint_steps=1,
        date="261128",
    )


@pytest.fixture(scope="module")
def whole(settings, place, tmp_path_factory):
    """A pre-training that nothing interrupts."""
    return pretrain(settings, tmp_path_factory.mktemp("pretrained") / "whole", place / "cache")


def curve_of(folder):
    with (folder / "log" / "version_0" / "metrics.csv").open() as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def test_the_run_and_its_checkpoint_hold_the_encoder(whole, settings):
    assert (whole.kind, whole.thresholds, whole.synthetic) == ("encoder", (), True)
    mean, std = whole.listening.logmel.mean, whole.listening.logmel.std
    (file,) = whole.path.glob("*/checkpoint-2.pth")
    assert file.parent.name.startswith("m2d_vit_tiny-80x32p16x16p16k-261128-")

    published = read_checkpoint(file)["model"]
    assert published["norm_stats"].tolist() == pytest.approx([mean, std])
    stored = load_file(whole.weights)
    same(stored, {name: published[name] for name in stored}, rtol=0, atol=0)
    same({f"duo.{name}": value for name, value in published.items()}, state_of(whole.path), rtol=0, atol=0)
    same(M2DEncoder.read(file).state_dict(), stored, rtol=0, atol=0)
    same(read_duo(file, "m2d", "blocks", 0).state_dict(), published, rtol=0, atol=0)
    assert set(whole.validation) == {"n", "loss", "m2d_loss", "offline_loss", "target_variance", "online_variance"}


@pytest.mark.parametrize("step", [2, 3], ids=["in an epoch", "between epochs"])
def test_killed_and_resumed_ends_with_the_same_weights(step, settings, whole, place, tmp_path, monkeypatch):
    def train_and_die():
        def die(self, trainer, *args):
            then(self, trainer, *args)
            if trainer.global_step == step:
                os.kill(os.getpid(), signal.SIGKILL)

        then, Progress.on_train_batch_end = Progress.on_train_batch_end, die
        pretrain(settings, tmp_path / "killed", place / "cache")

    child = in_a_child(train_and_die)
    child.join()
    assert child.exitcode == -signal.SIGKILL
    assert read_training_checkpoint(tmp_path / "killed" / "checkpoints" / "last.ckpt")["global_step"] == step
    pretrain(settings, tmp_path / "killed", place / "cache")
    same(state_of(tmp_path / "killed"), state_of(whole.path), rtol=0, atol=0)


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_two_processes_train_as_one(strategy, settings, whole, place, tmp_path, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    told = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    told |= {"TORCHELASTIC_RUN_ID": "test", "GROUP_RANK": "0"}
    together = replace(settings, devices=2, strategy=strategy, accumulate=1)

    def train(rank):
        os.environ.update(told | {"RANK": str(rank), "LOCAL_RANK": str(rank)})
        pretrain(together, tmp_path / "two", place / "cache")

    children = [in_a_child(lambda rank=rank: train(rank)) for rank in range(2)]
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0, 0]
    for one, two in zip(curve_of(whole.path), curve_of(tmp_path / "two"), strict=True):
        assert two["loss"] == pytest.approx(one["loss"], rel=1e-5)
    same(state_of(tmp_path / "two"), state_of(whole.path), rtol=1e-5, atol=2e-6)


def test_torchrun_and_the_settings_agree(settings, place, tmp_path, monkeypatch):
    for name, value in {"TORCHELASTIC_RUN_ID": "test", "WORLD_SIZE": "3"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match="torchrun started 3 processes, --devices times --nodes are 1"):
        pretrain(settings, tmp_path / "run", place / "cache")
    assert not (tmp_path / "run").exists()


def test_a_loss_that_is_no_number_names_its_batch(settings, place, tmp_path, monkeypatch):
    def spoilt(self, batch):
        loss, figures = then(self, batch)
        if self.trainer.fit_loop.epoch_loop.batch_idx == 9:
            loss, figures = loss * float("nan"), figures * float("nan")
        return loss, figures

    then = PretrainModule.figures_of
    monkeypatch.setattr(PretrainModule, "figures_of", spoilt)
    with pytest.raises(InputError, match=r"diverged in epoch 2, batch 4: the loss is nan; .*last\.ckpt holds the last"):
        pretrain(settings, tmp_path / "run", place / "cache")
    kept = read_training_checkpoint(tmp_path / "run" / "checkpoints" / "last.ckpt")
    assert kept["global_step"] == 4
    assert all(torch.isfinite(value).all() for value in kept["state_dict"].values())
    assert not (tmp_path / "run" / "run.json").exists()


def test_a_collapsed_training_stops(settings, place, tmp_path, monkeypatch):
    def dull(self, x, mask):
        output = then(self, x, mask)
        return output._replace(target=output.target[:1].mean(dim=1, keepdim=True).expand_as(output.target))

    then = Duo.forward
    monkeypatch.setattr(Duo, "forward", dull)
    with pytest.raises(InputError, match="collapsed in epoch 1/2, step 3: outputs of the target network differ by"):
        pretrain(settings, tmp_path / "run", place / "cache")
