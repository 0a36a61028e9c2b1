"""Whole or not at all."""

import errno
import os
from pathlib import Path

import pytest

from lungsound.errors import InputError
from lungsound.files.atomic import whole_file, whole_folder


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


def write(whole, path):
    """Make an empty file or folder."""
    with whole(path):
        pass


@pytest.mark.parametrize("whole", [whole_file, whole_folder])
@pytest.mark.parametrize("below", ["sub", "deep/sub"])
def test_a_file_in_the_way_is_one_sentence(tmp_path, whole, below):
    (tmp_path / "plain").write_text("mine")
    with pytest.raises(InputError, match=r"sub: cannot be written, for \S*plain is a file; name another place"):
        write(whole, tmp_path / "plain" / below)
    assert (tmp_path / "plain").read_text() == "mine"


@pytest.mark.parametrize("whole", [whole_file, whole_folder])
def test_a_place_where_nothing_can_be_made_is_one_sentence(whole):
    with pytest.raises(InputError, match=r"/proc/none/out: cannot be written \(No such file or directory\)"):
        write(whole, Path("/proc/none/out"))


@pytest.mark.parametrize("locked", [".", "earlier", "earlier/inside"])
def test_a_place_without_permission_is_one_sentence_and_leaves_nothing(unprivileged, locked):
    place = unprivileged / "place"
    (place / "earlier" / "inside").mkdir(parents=True)
    (place / locked).chmod(0o555)
    for whole in (whole_file, whole_folder) if locked == "." else ():
        with pytest.raises(InputError, match=r"Permission denied"):
            write(whole, place / "out")
    with pytest.raises(InputError, match=r"Permission denied"):
        write(whole_folder, place / "earlier")
    assert [path.name for path in place.rglob("*")] == ["earlier", "inside"]
    (place / locked).chmod(0o755)


@pytest.mark.parametrize("fails", [1, 2])
def test_an_earlier_folder_comes_back_when_it_cannot_be_replaced(tmp_path, monkeypatch, fails):
    target = tmp_path / "bundle"
    target.mkdir()
    (target / "old").touch()
    renamed, rename = [], Path.rename

    def refuse(self, to):
        renamed.append(to)
        if len(renamed) == fails:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), str(self))
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(InputError, match=r"bundle: cannot be written \(Device or resource busy\)"):
        write(whole_folder, target)
    assert [path.name for path in tmp_path.rglob("*")] == ["bundle", "old"]


def test_folders_made_on_the_way_go_when_what_they_were_made_for_fails(tmp_path):
    def fail(whole):
        with whole(tmp_path / "a" / "b" / "out"):
            raise RuntimeError("died")

    for whole in (whole_file, whole_folder):
        with pytest.raises(RuntimeError):
            fail(whole)
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", [".", "", "..", "../inside", "../.."])
def test_the_folder_that_the_process_runs_in_is_not_replaced(tmp_path, monkeypatch, name):
    (tmp_path / "inside" / "deeper").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "inside")
    with pytest.raises(InputError, match="is the folder that this command runs in"):
        write(whole_folder, Path(name))
    assert [path.name for path in tmp_path.rglob("*")] == ["inside", "deeper"]


def test_a_link_is_followed_and_stays(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "old").touch()
    (tmp_path / "link").symlink_to("real")
    with whole_folder(tmp_path / "link") as temporary:
        (temporary / "new").touch()
    assert (tmp_path / "link").is_symlink()
    assert [path.name for path in (tmp_path / "real").iterdir()] == ["new"]


def test_a_circle_of_links_is_one_sentence(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(InputError, match="a: cannot be written"):
        write(whole_folder, tmp_path / "a")


def test_a_folder_does_not_replace_a_file(tmp_path):
    (tmp_path / "plain").write_text("mine")
    with pytest.raises(InputError, match="plain: is a file; name a folder"):
        write(whole_folder, tmp_path / "plain")
    assert (tmp_path / "plain").read_text() == "mine"
