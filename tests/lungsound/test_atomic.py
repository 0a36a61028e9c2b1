"""Whole or not at all."""

import errno

import pytest

from lungsound.atomic import whole_file, whole_folder
from lungsound.errors import InputError


def test_a_file_appears_only_when_it_is_whole(tmp_path):
    target = tmp_path / "deep" / "model.bin"
    with whole_file(target) as temporary:
        temporary.write_bytes(b"half")
        assert not target.exists()
        temporary.write_bytes(b"whole")
    assert target.read_bytes() == b"whole"
    assert [p.name for p in target.parent.iterdir()] == ["model.bin"]


@pytest.mark.parametrize("error", [RuntimeError("died"), KeyboardInterrupt()])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, error):
    target = tmp_path / "model.bin"
    target.write_bytes(b"old")

    def write():
        with whole_file(target) as temporary:
            temporary.write_bytes(b"new")
            raise error

    with pytest.raises(type(error)):
        write()
    assert target.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["model.bin"]


def test_a_folder_replaces_the_old_one_at_once(tmp_path):
    target = tmp_path / "bundle"
    target.mkdir()
    (target / "old").touch()
    with whole_folder(target) as temporary:
        (temporary / "new").touch()
        assert (target / "old").exists()
    assert [p.name for p in target.iterdir()] == ["new"]
    assert [p.name for p in tmp_path.iterdir()] == ["bundle"]


@pytest.mark.parametrize("whole", [whole_file, whole_folder])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path, whole, code):
    def write():
        with whole(tmp_path / "out"):
            raise OSError(code, "no space")

    with pytest.raises(InputError, match=r"out: the disk is full"):
        write()
    assert list(tmp_path.iterdir()) == []


def test_other_errors_of_the_system_stay_what_they_are(tmp_path):
    def write():
        with whole_file(tmp_path / "out"):
            raise PermissionError(errno.EACCES, "no")

    with pytest.raises(PermissionError):
        write()
