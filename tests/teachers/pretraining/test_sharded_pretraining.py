"""Pre-training from shards: each clip once, the log-mels of the reference, and what goes wrong with files."""

import os
import shutil
import signal
import tracemalloc
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from full_disk import files_up_to
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from trained_states import in_a_child, same, state_of

from lungsound.corpora.selection import Selection
from lungsound.errors import InputError
from lungsound.logmel import SPECS, log_mel
from lungsound.shards.index import ShardIndex, index_file
from lungsound.shards.reading import ShardedClips
from lungsound.shards.writing import ShardOptions, write_shards
from lungsound.training.checkpoints import read_training_checkpoint
from lungsound.training.data import DataOptions
from teachers.pretraining.progress import Progress
from teachers.pretraining.settings import PretrainSettings, crop_seconds
from teachers.pretraining.sound import statistics
from teachers.pretraining.sound.data import PretrainLoader, prepare_pretraining
from teachers.pretraining.sound.mixture import Epoch
from teachers.pretraining.start import start_of
from teachers.pretraining.training import pretrain

M2D = SPECS["m2d"]


@pytest.fixture(scope="module", autouse=True)
def _few_crops():
    """Mean and deviation of a few crops."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(statistics.streamed_crops, "__defaults__", (50,))
        yield


@pytest.fixture(scope="module")
def folder(small_options, tmp_path_factory):
    """Five shards of clips of at most 2.5 s."""
    selection = Selection.open(small_options.data, drop_shared=False, validation=0.34, seed=0)
    folder = tmp_path_factory.mktemp("shards") / "all"
    write_shards(selection, "all", small_options.data, folder, ShardOptions(seconds=2.5, shard_seconds=40.0))
    return folder


@pytest.fixture(scope="module")
def settings(folder):
    """Two epochs of steps that no number of clips divides."""
    options = DataOptions((f"shards:{folder}",), logmel="m2d", seconds=crop_seconds("m2d", 32), hop_seconds=1.0)
    told = {"size": "tiny", "frames": 32, "min_clips": 0, "batch_size": 24, "epochs": 2, "warm_up": 1.0}
    return PretrainSettings(data=options, **told, precision="32-true", date="261128", checkpoint_steps=1)


def prepared(settings, cache):
    duo, _ = start_of(settings, None)
    return prepare_pretraining(settings, duo.config, None, None, cache)


def batches_of(data, settings, rank=0, world_size=1, step=0):
    """Return the batches of one process, as Lightning gets them."""
    module = PretrainLoader(data, settings)
    module.trainer = SimpleNamespace(global_rank=rank, world_size=world_size, global_step=step)
    return module.train_dataloader()


@pytest.fixture(scope="module")
def whole_clips(settings):
    """Crops as long as the longest clip, so that each batch holds clips whole."""
    data = replace(settings.data, seconds=crop_seconds("m2d", 256))
    return replace(settings, frames=256, batch_size=12, data=data)


@pytest.fixture(scope="module")
def heard_whole(whole_clips, place):
    return prepared(whole_clips, place / "cache")


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_no_clip_twice_and_none_lost(whole_clips, heard_whole, folder, ranks, workers):
    told, clips = replace(whole_clips, workers=workers), ShardedClips(folder)
    longest = (256 - 1) * M2D.hop + M2D.n_fft
    written = {clips[n].pcm.tobytes() for n in range(len(clips))}
    assert len(written) == len(clips)
    epochs = [Counter(), Counter()]
    for rank in range(ranks):
        batches = list(batches_of(heard_whole, told, rank, ranks))
        for place, batch in enumerate(batches):
            for sound, frames in zip(batch["sound"].numpy(), batch["frames"].tolist(), strict=True):
                assert len(sound) == longest
                heard = next(pcm for pcm in written if sound[200:].tobytes().startswith(pcm[: (frames - 2) * 320]))
                epochs[place * 2 // len(batches)][heard] += 1
    for heard in epochs:
        assert set(heard.values()) == {1}
        assert len(heard) == len(clips) // 12 * 12  # an epoch has whole steps alone
    assert epochs[0].keys() | epochs[1].keys() == written


def test_log_mels_and_statistics_are_the_references(settings, heard_whole, folder, small_options, place):
    mixed = replace(settings, data=replace(settings.data, data=(f"shards:{folder}", *small_options.data)))
    data, clips = prepared(mixed, place / "cache"), ShardedClips(folder)
    tables, (mean, std) = len(data.train.view.clips), data.hearing.statistics
    numbers = [data.epoch.order(0, 0)[place] for place in range(12)]
    x = data.hearing(data.train[[(0, place, number) for place, number in enumerate(numbers)]])["x"]
    assert {number < tables for number in numbers} == {True, False}
    for number, crop in zip(numbers, x[:, 0].numpy(), strict=True):
        if number < tables:
            lengths, first = data.train.view.clips.lengths, data.train.view.clips.offsets[number]
            whole = data.train.view.clips.frames[first : first + lengths[number]]
        else:
            whole = log_mel(M2D, clips[number - tables].pcm / 32768)
        windows = np.lib.stride_tricks.sliding_window_view((whole - mean) / std, 32, axis=0)
        assert np.abs(windows - crop).max(axis=(1, 2)).min() < 1e-3

    order, silent = heard_whole.epoch.order(0, 0), np.log(M2D.floor)
    heard = [log_mel(M2D, clips[order[place % len(order)]].pcm / 32768) for place in range(50)]
    values = np.stack([np.pad(one, ((0, 256 - len(one)), (0, 0)), constant_values=silent) for one in heard])
    assert heard_whole.hearing.statistics == pytest.approx((values.mean(), values.std()), rel=1e-4)


@examples(max_examples=20)
@given(
    corpora=st.lists(st.tuples(st.booleans(), st.integers(1, 50), st.integers(1, 3)), min_size=1, max_size=4),
    least=st.sampled_from([0, 700]),
    seed=st.integers(0, 99),
)
def test_an_epoch_mixes_corpora_and_shards(corpora, least, seed):
    sizes, repeat = [size for _, size, _ in corpora], [times for *_, times in corpora]
    shards = {
        source: tuple(np.diff([0, *range(9, size, 9), size]).tolist())
        for source, (sharded, size, _) in enumerate(corpora)
        if sharded
    }
    epoch = Epoch.of(sizes, shards, repeat=repeat, least=least)
    order = epoch.order(seed, 1)
    heard = Counter(order[place] for place in range(len(epoch)))
    held = [source for source in range(len(sizes)) if source not in shards]
    numbered = [(source, clip) for source in (*held, *shards) for clip in range(sizes[source])]
    assert sum(heard.values()) == len(epoch) == max(least, int(np.dot(sizes, repeat)))
    assert set(heard) == set(range(len(numbered)))
    times = len(epoch) / np.dot(sizes, repeat)
    for source, (size, often) in enumerate(zip(sizes, repeat, strict=True)):
        mine = [heard[number] for number, (whose, _) in enumerate(numbered) if whose == source]
        assert max(mine) - min(mine) <= (least > 0)
        if source in shards:
            assert abs(sum(mine) - times * size * often) <= 1


def test_memory_does_not_grow_with_the_clips():
    tracemalloc.start()
    epoch = Epoch.of([1000, 2_000_000], {1: (500,) * 4000}, least=10_000)
    order = epoch.order(0, 3)
    heard = {order[place] for place in range(0, len(order), 9973)}
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(heard) > 190
    assert peak < 6e6  # two million numbers alone would take 16 MB


@pytest.fixture(scope="module")
def whole(settings, place, tmp_path_factory):
    """A pre-training that nothing interrupts."""
    return pretrain(settings, tmp_path_factory.mktemp("sharded") / "whole", place / "cache")


def test_the_run_tells_what_it_heard(whole, folder):
    assert whole.synthetic
    assert whole.split["name"] == "shards"
    assert whole.validation == {}
    assert any("shards of part 'all'" in note for note in whole.notes)
    assert whole.data == (f"shards:{folder}",)


@contextmanager
def at_step(step, work):
    """Do something in the place of what follows an optimiser step."""

    def changed(self, trainer, *args):
        if trainer.global_step == step:
            work(lambda: then(self, trainer, *args))
        else:
            then(self, trainer, *args)

    then = Progress.on_train_batch_end
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Progress, "on_train_batch_end", changed)
        yield


def test_killed_in_an_epoch_and_resumed_ends_with_the_same_weights(settings, whole, place, tmp_path):
    def train_and_die():
        with at_step(2, lambda go_on: (go_on(), os.kill(os.getpid(), signal.SIGKILL))):
            pretrain(replace(settings, workers=2), tmp_path / "run", place / "cache")

    child = in_a_child(train_and_die)
    child.join()
    assert child.exitcode == -signal.SIGKILL
    pretrain(replace(settings, workers=2), tmp_path / "run", place / "cache")
    same(state_of(tmp_path / "run"), state_of(whole.path), rtol=0, atol=0)


def remove(folder):
    for file in folder.glob("*.tar"):
        file.unlink()


def damage(folder):
    for file in folder.glob("*.tar"):
        shard = int(file.stem.removeprefix("shard-"))
        with file.open("r+b") as handle:
            for offset in ShardIndex.read(index_file(folder, shard)).offsets:
                handle.seek(offset + 1000)
                handle.write(b"\x55" * 100)


@pytest.mark.parametrize(
    ("spoil", "workers", "sentence"),
    [
        (remove, 2, r"shard-00000\d\.tar: no such file"),
        (damage, 0, r"shard-00000\d\.tar: damaged, clip \d+ is not what was written; remove it and run auscult data"),
    ],
)
def test_shards_that_go_in_the_middle_of_an_epoch(spoil, workers, sentence, settings, folder, place, tmp_path):
    mine = shutil.copytree(folder, tmp_path / "mine")
    told = replace(settings, data=replace(settings.data, data=(f"shards:{mine}",)), workers=workers)
    with at_step(2, lambda go_on: (go_on(), spoil(mine))), pytest.raises(InputError, match=sentence) as told_why:
        pretrain(told, tmp_path / "run", place / "cache")
    assert "\n" not in str(told_why.value)
    assert read_training_checkpoint(tmp_path / "run" / "checkpoints" / "last.ckpt")["global_step"] >= 2


def test_a_full_disk_keeps_the_checkpoint_before(settings, place, tmp_path):
    def full(go_on):
        with files_up_to(100_000):
            go_on()

    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    with at_step(3, full), pytest.raises(InputError, match="the disk is full"):
        pretrain(settings, tmp_path / "run", place / "cache")
    assert read_training_checkpoint(last)["global_step"] == 2
    assert [path.name for path in last.parent.iterdir()] == ["last.ckpt"]


def test_shards_and_corpora_train_together_with_noise_and_labels(settings, folder, small_options, place, tmp_path):
    data = replace(settings.data, data=(*small_options.data, f"shards:{folder}"), validation=0.34)
    told = replace(settings, data=data, share=(0.5, 0.5), offline="labels", noise=small_options.data)
    told = replace(told, epochs=1, warm_up=0.0, batch_size=48)
    run = pretrain(told, tmp_path / "run", place / "cache")
    assert run.split["name"] == "official+shards"
    assert 0 < run.validation["online_variance"] < 1
    crops, clips = prepared(told, place / "cache").train, ShardedClips(folder)
    first = crops.shards[0].first
    labels = crops[[(0, clip, first + clip) for clip in range(len(clips))]]["labels"].numpy()
    wanted = [dict(zip(clips.facts.labels, clips[clip].labels, strict=True)) for clip in range(len(clips))]
    assert labels.tolist() == [[known[name] for name in data.labels] for known in wanted]
    assert labels.any(axis=0).all()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"patch": (16, 256), "frames": 256}, r"s has \d+ frames, less than a patch of 256; write the shards without"),
        ({"batch_size": 600}, "clips in an epoch are less than a step of 600"),
        ({"clips": "events"}, "shards hold clips"),
        ({"noise": ("shards:x",)}, "read by auscult pretrain --data alone"),
        ({"data": {"data": ("shards",)}}, "write shards:FOLDER"),
        ({"data": {"data": ("shards:/nowhere",)}}, "no finished shards"),
        ({"data": {"logmel": "m2d_32k"}}, "shards of 16000 Hz.*write them with --sample-rate 32000"),
        ({"data": {"labels": ("cough",)}, "offline": "labels"}, "not annotated with cough; it offers crackle, wheeze"),
    ],
)
def test_what_cannot_be_heard_is_refused(settings, changes, sentence, tmp_path):
    changes = changes | {"data": replace(settings.data, **changes.get("data", {}))}
    with pytest.raises(InputError, match=sentence):
        prepared(replace(settings, **changes), tmp_path)
