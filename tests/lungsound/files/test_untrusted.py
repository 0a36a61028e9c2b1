"""Whatever stands where a file is wanted: a sentence at once, never a hang."""

import errno
import os
import socket
import stat
from pathlib import Path

import pytest

from lungsound.errors import InputError
from lungsound.files.untrusted import open_regular, read_bytes, read_text


def fifo(folder: Path) -> Path:
    os.mkfifo(folder / "pipe")
    return folder / "pipe"


def unix_socket(folder: Path) -> Path:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "socket"))
    return folder / "socket"


def circle(folder: Path) -> Path:
    (folder / "one").symlink_to("two")
    (folder / "two").symlink_to("one")
    return folder / "one"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (fifo, "is a pipe; name a regular file"),
        (unix_socket, "name a regular file"),
        (circle, "a circle of links"),
        (lambda folder: folder, "is a folder; name a file"),
        (lambda folder: folder / "none", "no such file"),
        (lambda folder: folder / ("long" * 64), "longer than the file system takes"),
        (lambda folder: folder / "a\0b", "NUL"),
        (lambda _: Path("/dev/zero"), "is a device"),
    ],
)
def test_what_is_no_regular_file_is_a_sentence_at_once(tmp_path, make, said):
    path = make(tmp_path)
    with pytest.raises(InputError, match=said) as refused:
        read_bytes(path, 10)
    assert str(refused.value).startswith(f"{path}: ")


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    def forbidden(path, flags):  # to root nothing is
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    monkeypatch.setattr(os, "open", forbidden)
    with pytest.raises(InputError, match="secret: permission denied; mend its permissions"):
        open_regular(tmp_path / "secret")


def test_a_file_of_the_limit_is_read_and_a_byte_more_is_not(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"12345")
    assert read_bytes(file, 5) == b"12345"
    with pytest.raises(InputError, match="more than the 4 bytes"):
        read_bytes(file, 4)


def test_links_to_regular_files_are_followed(tmp_path):
    (tmp_path / "file").write_text("ä")
    (tmp_path / "link").symlink_to("file")
    assert read_text(tmp_path / "link", 10) == "ä"
    with pytest.raises(InputError, match="not text"):
        read_text(tmp_path / "link", 10, "ascii")
    with open_regular(tmp_path / "link") as file:
        assert stat.S_ISREG(os.fstat(file.fileno()).st_mode)
