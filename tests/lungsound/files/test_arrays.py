"""A stored array is what was written, or it is not opened."""

import errno
import os
import re
import zlib

import numpy as np
import pytest
from full_disk import files_up_to
from hypothesis import given
from hypothesis import strategies as st

from lungsound.errors import InputError
from lungsound.files.arrays import new_array, open_array
from lungsound.files.atomic import whole_file
from lungsound.files.use import is_used

VALUES = np.random.default_rng(0).normal(size=(5, 3, 2)).astype(np.float32)
CHECK = len(b"\ncrc32 00000000\n")


def write(file, values=VALUES):
    with new_array(file, values.shape) as first_byte, file.open("r+b") as handle:
        handle.seek(first_byte)
        handle.write(values.tobytes())


@pytest.fixture
def file(tmp_path):
    write(tmp_path / "a.npy")
    return tmp_path / "a.npy"


def test_numpy_and_we_read_what_was_written(file):
    np.testing.assert_array_equal(np.load(file), VALUES)
    np.testing.assert_array_equal(np.load(file, mmap_mode="r"), VALUES)
    opened = open_array(file, (5, None, 2))
    np.testing.assert_array_equal(opened, VALUES)
    assert not opened.flags.writeable


def test_the_last_line_is_the_crc_of_what_is_before(file):
    content = file.read_bytes()
    assert content[-CHECK:] == b"\ncrc32 %08x\n" % zlib.crc32(content[:-CHECK])


def test_files_of_numpy_without_a_checksum_are_read(tmp_path):
    np.save(tmp_path / "a.npy", VALUES)
    np.testing.assert_array_equal(open_array(tmp_path / "a.npy", VALUES.shape), VALUES)


def test_any_flipped_bit_is_noticed(file):
    content = file.read_bytes()
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        file.write_bytes(damaged)
        assert open_array(file, VALUES.shape) is None, place
    file.write_bytes(content)
    assert open_array(file, VALUES.shape) is not None


def test_a_cut_file_is_noticed(file):
    content = file.read_bytes()
    for length in range(len(content)):
        file.write_bytes(content[:length])
        opened = open_array(file, VALUES.shape)
        if length == len(content) - CHECK:  # as of an earlier state: every value is there
            np.testing.assert_array_equal(opened, VALUES)
        else:
            assert opened is None, length


@given(place=st.integers(0, 127), patch=st.binary(min_size=1, max_size=40))
def test_a_header_whose_checksum_was_mended_gives_the_right_shape_or_nothing(tmp_path_factory, place, patch):
    file = tmp_path_factory.getbasetemp() / "mended.npy"
    write(file)
    content = bytearray(file.read_bytes()[:-CHECK])
    content[place : place + len(patch)] = patch
    file.write_bytes(content + b"\ncrc32 %08x\n" % zlib.crc32(content))
    opened = open_array(file, (None, None, None))
    assert opened is None or opened.size == VALUES.size


@pytest.mark.parametrize(
    "shape", ["(0, 3)", "(999999999999, 999999999999)", "(9999999999999999,)", "(-1,)", "()", "(" * 99]
)
def test_hostile_shapes(tmp_path, shape):
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    content = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    (tmp_path / "a.npy").write_bytes(content + b"\ncrc32 %08x\n" % zlib.crc32(content))
    assert open_array(tmp_path / "a.npy", (None, None)) is None
    assert open_array(tmp_path / "a.npy", (None,)) is None


def test_another_shape_is_not_what_was_asked_for(file):
    assert open_array(file, (5, 3)) is None
    assert open_array(file, (5, 2, 3)) is None


def test_what_is_missing_or_a_folder_is_not_there(tmp_path):
    assert open_array(tmp_path / "a.npy", (None,)) is None
    assert open_array(tmp_path, (None,)) is None


def test_what_may_not_be_read_is_named(unprivileged):
    file = unprivileged / "a.npy"
    write(file)
    file.chmod(0)
    with pytest.raises(InputError, match=r"a\.npy: not readable"):
        open_array(file, VALUES.shape)


def test_it_is_in_use_while_it_is_mapped(file):
    opened = open_array(file, VALUES.shape)
    row = opened[1]
    assert is_used(file)
    del opened
    assert is_used(file)
    np.testing.assert_array_equal(row, VALUES[1])
    del row
    assert not is_used(file)


def test_a_full_disk_is_met_before_the_first_value(tmp_path):
    def write_many(file):
        with new_array(file, (2000,)):
            pytest.fail("began to compute")

    def write_whole():
        with whole_file(tmp_path / "b.npy") as temporary:
            write_many(temporary)

    with files_up_to(4096):
        with pytest.raises(OSError, match=re.escape(os.strerror(errno.EFBIG))):
            write_many(tmp_path / "a.npy")
        with pytest.raises(InputError, match=r"b\.npy: the disk is full"):
            write_whole()
    assert not (tmp_path / "b.npy").exists()
