"""Checkpoints and weights that were damaged are refused, and a full disk leaves the last good one."""

import io
import json
import zipfile
import zlib

import pytest
import torch
from full_disk import files_up_to
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import nn

from lungsound.errors import InputError
from lungsound.training.checkpoints import WholeCheckpoints, read_training_checkpoint
from lungsound.training.weights import load_weights, read_checkpoint, save_weights


def checkpoint(value: float) -> dict:
    return {"state_dict": {"a": torch.full((40, 3), value)}, "epoch": 3, "optimizer_states": [{"b": torch.arange(5.0)}]}


def network(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Linear(3, 4)


def same(got: object, wanted: object) -> bool:
    if isinstance(wanted, torch.Tensor):
        return isinstance(got, torch.Tensor) and got.dtype == wanted.dtype and torch.equal(got, wanted)
    if isinstance(wanted, dict):
        return got.keys() == wanted.keys() and all(same(got[name], wanted[name]) for name in wanted)
    if isinstance(wanted, list):
        return len(got) == len(wanted) and all(map(same, got, wanted))
    return got == wanted


@pytest.fixture
def file(tmp_path):
    WholeCheckpoints().save_checkpoint(checkpoint(0.5), tmp_path / "last.ckpt")
    return tmp_path / "last.ckpt"


def flipped(content: bytes, place: int) -> bytes:
    damaged = bytearray(content)
    damaged[place] ^= 1 << place % 8
    return bytes(damaged)


def test_what_was_saved_is_read(file):
    assert same(read_training_checkpoint(file), checkpoint(0.5))
    assert same(WholeCheckpoints().load_checkpoint(file, weights_only=True), checkpoint(0.5))
    assert same(torch.load(file, weights_only=True), checkpoint(0.5))
    with zipfile.ZipFile(file) as archive:
        assert archive.comment == b"\ncrc32 %08x\n" % zlib.crc32(file.read_bytes()[: -len(archive.comment)])


def test_checkpoints_of_torch_alone_are_read(file):
    torch.save(checkpoint(0.5), file)
    assert same(read_training_checkpoint(file), checkpoint(0.5))


def test_a_flipped_bit_is_refused_or_changes_nothing(file):
    content, refused = file.read_bytes(), 0
    for place in range(0, len(content), 5):
        file.write_bytes(flipped(content, place))
        try:
            assert same(read_training_checkpoint(file), checkpoint(0.5)), place
        except InputError as error:
            assert str(error).startswith(f"{file}: damaged (")  # noqa: PT017
            assert len(str(error).splitlines()) == 1  # noqa: PT017
            refused += 1
    assert refused >= len(content) // 5 - 2  # but in the word that says that there is a checksum


def test_every_value_of_torch_alone_is_held_against_its_checksum(file):
    torch.save(checkpoint(0.5), file)
    content = file.read_bytes()
    values = torch.full((40, 3), 0.5).numpy().tobytes()
    start = content.index(values)
    for place in range(start, start + len(values), 7):
        file.write_bytes(flipped(content, place))
        with pytest.raises(InputError, match="damaged"):
            read_training_checkpoint(file)


@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.9])
def test_a_cut_checkpoint_is_refused(file, share):
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match=r"last\.ckpt: damaged .*; restore it, or remove it"):
        read_training_checkpoint(file)


def test_a_cut_last_line_changes_nothing_or_is_refused(file):
    content = file.read_bytes()
    for cut in range(1, 17):
        file.write_bytes(content[:-cut])
        assert same(read_training_checkpoint(file), checkpoint(0.5)), cut


@settings(deadline=None)
@given(place=st.integers(0, 10_000), patch=st.binary(min_size=1, max_size=8))
def test_a_pickle_whose_checksum_was_mended_is_refused_or_read(tmp_path_factory, place, patch):
    file = tmp_path_factory.getbasetemp() / "mended.ckpt"
    buffer = io.BytesIO()
    torch.save(checkpoint(0.5), buffer)
    with zipfile.ZipFile(buffer) as source, zipfile.ZipFile(file, "w") as target:
        for name in source.namelist():
            record = bytearray(source.read(name))
            if name.endswith(".pkl"):
                record[place % len(record) : place % len(record) + len(patch)] = patch
            target.writestr(name, bytes(record))
    try:
        read_training_checkpoint(file)
    except InputError as error:
        assert "damaged" in str(error)  # noqa: PT017


def test_a_flipped_bit_of_a_published_file_is_refused_or_changes_nothing(file):
    torch.save(checkpoint(0.5), file)
    content = file.read_bytes()
    for place in range(0, 8 * len(content), 37):  # every bit of a byte has its turn
        damaged = bytearray(content)
        damaged[place // 8] ^= 1 << place % 8
        file.write_bytes(damaged)
        try:
            assert same(read_checkpoint(file), checkpoint(0.5)), place
        except InputError as error:
            assert "download the checkpoint again" in str(error)  # noqa: PT017


def test_a_record_that_says_it_is_a_folder_is_refused(file):
    """Torch reads nothing of such a record and hands out whatever lay in the memory."""
    torch.save(checkpoint(0.5), file)
    content = bytearray(file.read_bytes())
    with zipfile.ZipFile(file) as archive:
        names = [record.filename for record in archive.infolist()]
    entry = content.rindex(f"{names[0].partition('/')[0]}/data/0".encode()) - 46
    assert content[entry : entry + 4] == b"PK\x01\x02"
    content[entry + 38] ^= 0x10
    file.write_bytes(content)
    for read in (read_checkpoint, read_training_checkpoint):
        with pytest.raises(InputError, match="is packed or a folder"):
            read(file)


def test_a_packed_record_is_refused_unread(tmp_path):
    with zipfile.ZipFile(tmp_path / "last.ckpt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(10**6))
    with pytest.raises(InputError, match="damaged"):
        read_training_checkpoint(tmp_path / "last.ckpt")


@pytest.mark.parametrize("size", [0, 700, 1500])
def test_a_full_disk_leaves_the_last_good_files(file, size):
    weights = file.with_name("weights.safetensors")
    save_weights(network(1), weights)
    before = {path.name: path.read_bytes() for path in file.parent.iterdir()}
    size = min(size, len(before[weights.name]) - 1) if size else size
    with files_up_to(size):
        with pytest.raises(InputError, match=r"last\.ckpt: the disk is full"):
            WholeCheckpoints().save_checkpoint(checkpoint(0.25), file)
        with pytest.raises(InputError, match=r"weights\.safetensors: the disk is full"):
            save_weights(network(2), weights)
    assert {path.name: path.read_bytes() for path in file.parent.iterdir()} == before


def test_weights_are_read_by_anybody_and_by_us(tmp_path):
    file, written, read = tmp_path / "w.safetensors", network(1), network(2)
    save_weights(written, file)
    assert same(load_file(file), dict(written.state_dict()))
    load_weights(read, file)
    assert same(dict(read.state_dict()), dict(written.state_dict()))


def test_weights_without_a_seal_are_read(tmp_path):
    written, read = network(1), network(2)
    save_file(written.state_dict(), tmp_path / "w.safetensors")
    load_weights(read, tmp_path / "w.safetensors")
    assert same(dict(read.state_dict()), dict(written.state_dict()))


def test_a_flipped_bit_of_weights_is_refused_or_changes_nothing(tmp_path):
    file, written = tmp_path / "w.safetensors", network(1)
    save_weights(written, file)
    content = file.read_bytes()
    header = 8 + int.from_bytes(content[:8], "little")
    for place in range(len(content)):
        file.write_bytes(flipped(content, place))
        read = network(2)
        try:
            load_weights(read, file)
        except InputError as error:
            assert str(file) in str(error)  # noqa: PT017
            continue
        assert place < header, "a value was changed"
        assert same(dict(read.state_dict()), dict(written.state_dict()))


@given(place=st.integers(0, 10_000), patch=st.binary(min_size=1, max_size=8))
def test_mutated_weights_without_a_seal_are_refused_or_read(tmp_path_factory, place, patch):
    file = tmp_path_factory.getbasetemp() / "mutated.safetensors"
    save_file(network(1).state_dict(), file)
    content = bytearray(file.read_bytes())
    place %= len(content)
    content[place : place + len(patch)] = patch
    file.write_bytes(content)
    try:
        load_weights(network(2), file)
    except InputError as error:
        assert str(file) in str(error)  # noqa: PT017


@pytest.mark.parametrize("seal", ["", "0" * 64, "x", "f" * 64])
def test_seals_of_other_hands_are_refused(tmp_path, seal):
    save_file(network(1).state_dict(), tmp_path / "w.safetensors", {"sha256": seal})
    with pytest.raises(InputError, match="its sha256 is another"):
        load_weights(network(2), tmp_path / "w.safetensors")
    assert json.dumps(seal).encode() in (tmp_path / "w.safetensors").read_bytes()
