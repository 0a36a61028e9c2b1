"""Shards: every clip once, as the recordings have it, in files that WebDataset reads."""

import io
import json
import pickle
import tracemalloc
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import webdataset
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader, Dataset, Subset

from lungsound.audio import read_pcm
from lungsound.corpora.selection import Selection
from lungsound.corpora.synthetic import generate
from lungsound.errors import InputError
from lungsound.files.record import write_object
from lungsound.shards.index import ShardIndex, index_file, tar_file
from lungsound.shards.reading import ShardedClips, ShardOrder
from lungsound.shards.writing import ShardOptions, write_shards

OPTIONS = ShardOptions(sample_rate=4000, seconds=3.0, shard_seconds=60.0)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    root = tmp_path_factory.mktemp("corpus") / "made"
    generate(root, patients=4)
    return Selection.open([f"synthetic:{root}"], drop_shared=False, validation=0.2, seed=0)


@pytest.fixture(scope="module")
def shards(corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards") / "npy"
    write_shards(corpus, "all", ("synthetic",), folder, OPTIONS)
    return folder


def test_clips_are_the_recordings_cut(corpus, shards):
    clips = ShardedClips(shards)
    table = corpus.corpora[0].recordings.set_index("recording")
    found = Counter()
    for clip in (clips[number] for number in range(len(clips))):
        name = clip.recording.removeprefix(f"{corpus.corpora[0].name}/")
        first = round(clip.start * 4000)
        np.testing.assert_array_equal(clip.pcm, read_pcm(table.loc[name, "path"], 4000)[first : first + 12_000])
        found[name] += len(clip.pcm)
    assert set(found) == set(table.index)
    assert all(seconds * 4000 - found[name] < 4000 for name, seconds in table["seconds"].items())
    assert len(clips.facts.clips) > 1


def test_labels_are_those_of_the_events_within(corpus, shards):
    clips = ShardedClips(shards)
    events = corpus.corpora[0].events
    for clip in (clips[number] for number in range(len(clips))):
        mine = events[events["recording"] == clip.recording.split("/", 1)[1]]
        end = clip.start + len(clip.pcm) / 4000
        inside = mine[(mine["start"] < end) & (mine["end"] > clip.start)]
        wanted = [float(inside[label].any()) for label in clips.facts.labels]
        assert clip.labels.tolist() == wanted
    assert {"crackle", "wheeze"} <= set(clips.facts.labels)


def test_recordings_of_one_name_keep_their_own_events(tmp_path):
    data = []
    for number, (cough, snore) in enumerate(((1, 0), (0, 1))):
        folder = tmp_path / str(number)
        folder.mkdir()
        soundfile.write(folder / "a.wav", np.full(8000, 0.1 + 0.1 * number), 4000)
        (folder / "t.csv").write_text(f"path,start,end,cough,snore\na.wav,0,2,{cough},{snore}\n")
        data.append(f"table:{folder / 't.csv'}")
    selection = Selection.open(data, drop_shared=False, validation=0.2, seed=0)
    write_shards(selection, "all", tuple(data), tmp_path / "shards", OPTIONS)
    clips = ShardedClips(tmp_path / "shards")
    told = {round(clip.pcm[0] / 32768, 1): clip.labels.tolist() for clip in (clips[0], clips[1])}
    assert clips.facts.labels == ("cough", "snore")
    assert told == {0.1: [1, 0], 0.2: [0, 1]}


def test_the_shortest_clip_is_known(shards):
    clips = ShardedClips(shards)
    lengths = [len(clips[number].pcm) for number in range(len(clips))]
    first = clips[lengths.index(min(lengths))]
    recording, start, samples = clips.shortest()
    assert samples == min(lengths)
    assert samples < max(lengths)
    assert lengths.count(samples) > 1 or (recording, start) == (first.recording, first.start)
    assert clips.facts.synthetic


def test_webdataset_reads_them(shards):
    clips = ShardedClips(shards)
    files = [str(tar_file(shards, shard)) for shard in range(len(clips.facts.clips))]
    read = list(webdataset.WebDataset(files, shardshuffle=False))
    assert len(read) == len(clips)
    for number, sample in enumerate(read):
        np.testing.assert_array_equal(np.load(io.BytesIO(sample["npy"])), clips[number].pcm)
        told = json.loads(sample["json"])
        assert (told["recording"], told["start"]) == (clips[number].recording, clips[number].start)


def test_flac_holds_the_same_sound(corpus, shards, tmp_path):
    write_shards(corpus, "all", ("synthetic",), tmp_path, ShardOptions(4000, 3.0, 1.0, "flac", 60.0))
    flac, npy = ShardedClips(tmp_path), ShardedClips(shards)
    assert all(np.array_equal(flac[number].pcm, npy[number].pcm) for number in range(len(npy)))
    assert tar_file(tmp_path, 0).stat().st_size < tar_file(shards, 0).stat().st_size


def test_a_part_holds_its_recordings_alone(corpus, tmp_path):
    write_shards(corpus, "train", ("synthetic",), tmp_path, OPTIONS)
    clips = ShardedClips(tmp_path)
    heard = {clips[number].recording.split("/", 1)[1] for number in range(len(clips))}
    assert heard == {name for name, part in corpus.splits[0].parts.items() if part == "train"}


class Numbers(Dataset):
    """Numbers of clips, as a loader's processes read them."""

    def __init__(self, clips):
        self.clips = clips

    def __getitem__(self, number):
        assert len(self.clips[number].pcm) > 0
        return number


@pytest.mark.parametrize("ranks", [1, 2, 3])
@pytest.mark.parametrize("workers", [0, 2])
def test_no_clip_twice_and_none_lost(shards, ranks, workers):
    clips = ShardedClips(shards)
    order = list(ShardOrder(clips.facts.clips, seed=3, epoch=1))
    heard = []
    for rank in range(ranks):
        mine = Subset(Numbers(clips), order[rank::ranks])
        heard += [number for batch in DataLoader(mine, 8, num_workers=workers) for number in batch.tolist()]
    assert sorted(heard) == list(range(len(clips)))


@given(st.lists(st.integers(0, 40), max_size=30), st.integers(0, 2**31), st.integers(0, 99), st.integers(1, 6))
def test_an_order_is_a_permutation_that_keeps_shards_together(clips, seed, epoch, group):
    order = ShardOrder(clips, seed, epoch, group)
    numbers = list(order)
    assert sorted(numbers) == list(range(sum(clips)))
    assert len(order) == sum(clips)
    shard_of = np.repeat(np.arange(len(clips)), clips)
    groups = np.array([group_of(order, position) for position in range(len(order))])
    for found in np.unique(groups):
        assert len(set(shard_of[np.asarray(numbers)[groups == found]])) <= group
    assert numbers == list(ShardOrder(clips, seed, epoch, group))


def group_of(order, position):
    return int(np.searchsorted(order._ends, position, side="right"))


def test_epochs_and_seeds_differ_and_memory_is_that_of_a_group():
    clips = [500] * 4000
    tracemalloc.start()
    order = ShardOrder(clips, seed=0, epoch=0)
    first = [order[position] for position in range(0, 2_000_000, 499)]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4e6  # two million numbers alone would take 16 MB
    for seed, epoch in ((0, 1), (1, 0)):
        other = ShardOrder(clips, seed, epoch)
        assert [other[position] for position in range(0, 2_000_000, 499)] != first


def test_clips_go_to_other_processes_with_their_folder_alone(shards):
    clips = ShardedClips(shards)
    sent = pickle.dumps(clips)
    assert len(sent) < 500
    assert np.array_equal(pickle.loads(sent)[5].pcm, clips[5].pcm)  # noqa: S301


@pytest.fixture
def copied(corpus, tmp_path):
    write_shards(corpus, "all", ("synthetic",), tmp_path, OPTIONS)
    return tmp_path


def test_a_damaged_clip_is_told(copied):
    clips = ShardedClips(copied)
    place = ShardIndex.read(index_file(copied, 1)).offsets[2] + 500
    with tar_file(copied, 1).open("r+b") as handle:
        handle.seek(place)
        byte = handle.read(1)
        handle.seek(place)
        handle.write(bytes([byte[0] ^ 1]))
    first = clips.facts.clips[0]
    assert len(clips[first].pcm)
    with pytest.raises(InputError, match=r"shard-000001\.tar: damaged, clip 2 .*run auscult data shard again"):
        clips[first + 2]
    with pytest.raises(InputError, match=r"shard-000001\.tar: damaged"):
        clips.verify()


def test_what_is_removed_is_written_again(corpus, copied):
    before = tar_file(copied, 1).read_bytes()
    tar_file(copied, 1).unlink()
    with pytest.raises(InputError, match=r"shard-000001\.tar"):
        ShardedClips(copied)[ShardedClips(copied).facts.clips[0]]
    write_shards(corpus, "all", ("synthetic",), copied, OPTIONS)
    assert tar_file(copied, 1).read_bytes() == before
    ShardedClips(copied).verify()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"offsets": [2**39]}, "behind"), ({"offsets": [-1]}, "offsets"), ({"clips": 3}, "3 clips"),
        ({"sizes": ["1"]}, "sizes"), ({"more": 1}, "more"),
    ],
)  # fmt: skip
def test_an_index_of_anybodys_is_held_against_its_tar(copied, change, sentence):
    values = {"plan": "", "clips": 1, "bytes": 1000, "digest": "", "offsets": [0], "sizes": [1], "crcs": [0]}
    values |= {"samples": [1], "recordings": ["a"], "starts": [0.0], "labels": [""], "left_out": []}
    write_object(index_file(copied, 0), values | change)
    with pytest.raises(InputError, match=rf"shard-000000\.json.*{sentence}"):
        ShardedClips(copied)[0]


def test_an_index_of_another_shard_is_told(copied):
    index_file(copied, 0).write_bytes(index_file(copied, 1).read_bytes())
    with pytest.raises(InputError, match="another shard"):
        ShardedClips(copied)[0]


def test_shards_of_something_else_are_not_written_over(corpus, copied):
    before = tar_file(copied, 0).read_bytes()
    with pytest.raises(InputError, match="other recordings or options; name another folder"):
        write_shards(corpus, "all", ("synthetic",), copied, replace(OPTIONS, seconds=2.0))
    assert tar_file(copied, 0).read_bytes() == before
