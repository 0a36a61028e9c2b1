"""The folder that `auscult firmware` writes: whole or not at all, and in the place of nobody's files."""

from pathlib import Path

import pytest
from make_folder import made

from firmware_bridge.folder import writing
from lungsound.errors import InputError


@pytest.fixture
def firmware(auscult, tflite, tmp_path):
    """A function that writes the network's firmware into a folder, and the folder of a first call."""

    def write(folder: Path) -> tuple[int, str]:
        code, _, complaint = auscult("firmware", tflite, "--target", "host", "-o", folder)
        return code, complaint

    folder = tmp_path / "firmware"
    assert write(folder)[0] == 0
    return write, folder


def test_an_earlier_folder_is_replaced_with_what_was_built_in_it(firmware, installed):
    installed("host")
    write, folder = firmware
    written = {path.relative_to(folder) for path in folder.rglob("*")}
    made(folder)
    made(folder, "bench")
    assert {path.name for path in folder.glob("*.elf")} == {"self_test.elf", "bench_main.elf"}
    assert write(folder) == (0, "")
    assert {path.relative_to(folder) for path in folder.rglob("*")} == written


@pytest.mark.parametrize(
    "mine", ["main.c", "notes.txt", "board/mine.h", "src/main.c", "app.elf", "objects/main.c", "link"]
)
def test_a_folder_with_files_of_others_is_refused(firmware, mine):
    write, folder = firmware
    (folder / mine).parent.mkdir(exist_ok=True)
    if mine == "link":
        (folder / mine).symlink_to(folder / "net.c")
    else:
        (folder / mine).write_text("mine")
    before = sorted(path.relative_to(folder) for path in folder.rglob("*"))
    code, complaint = write(folder)
    assert code == 1
    assert f"{folder}: holds {mine}, which auscult did not write; name another folder" in complaint
    assert sorted(path.relative_to(folder) for path in folder.rglob("*")) == before


def test_a_folder_with_a_changed_file_is_refused(firmware):
    write, folder = firmware
    with (folder / "board" / "text.c").open("a") as file:
        file.write("/* mine */")
    code, complaint = write(folder)
    assert (code, "board/text.c, which was changed" in complaint) == (1, True)


@pytest.mark.parametrize("report", [None, "", "[]", "{}", '{"files": 3}', "\xff"])
def test_a_folder_without_its_list_of_files_is_refused(firmware, report):
    write, folder = firmware
    (folder / "report.json").unlink()
    if report is not None:
        (folder / "report.json").write_bytes(report.encode("latin-1"))
    code, complaint = write(folder)
    assert (code, "which auscult did not write" in complaint) == (1, True)
    assert (folder / "net.c").is_file()


def test_an_empty_folder_is_filled_and_a_foreign_one_is_not(auscult, tflite, tmp_path):
    words = ["firmware", tflite, "--target", "host", "-o"]
    (tmp_path / "empty").mkdir()
    assert auscult(*words, tmp_path / "empty")[0] == 0
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "net.c").write_text("mine")
    (tmp_path / "mine" / "thesis.tex").touch()
    code, _, complaint = auscult(*words, tmp_path / "mine")
    assert (code, "holds net.c, which auscult did not write" in complaint) == (1, True)
    assert sorted(path.name for path in (tmp_path / "mine").iterdir()) == ["net.c", "thesis.tex"]


def test_a_link_to_a_folder_stays_a_link(firmware, tmp_path):
    write, folder = firmware
    link = tmp_path / "link"
    link.symlink_to(folder)
    assert write(link)[0] == 0
    assert link.is_symlink()
    (folder / "mine").touch()
    assert (write(link)[0], link.is_symlink()) == (1, True)


def test_a_folder_without_a_name_is_wrong_usage(auscult, tflite, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, complaint = auscult("firmware", tflite, "--target", "host", "-o", "")
    assert (code, "the name is empty" in complaint) == (2, True)
    assert [path.name for path in tmp_path.iterdir()] == [tflite.name]


@pytest.mark.parametrize(
    ("folder", "sentence"),
    [
        ("net.tflite", "is a file; name a folder"),
        ("net.tflite/sub", "net.tflite is a file"),
        ("/proc/none/sub", "cannot be written (No such file or directory)"),
        (".", "is the folder that this command runs in"),
    ],
)
def test_a_folder_that_cannot_be_written_is_one_sentence(refused, tflite, tmp_path, monkeypatch, folder, sentence):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty" if folder == "." else tmp_path)
    refused("firmware", tflite, "--target", "host", "-o", folder, sentence=sentence)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["empty", tflite.name]


def test_a_folder_is_there_whole_or_not_at_all(auscult, tflite, tmp_path, monkeypatch):
    def refuse(*_: object) -> None:
        raise InputError("not today")

    monkeypatch.setattr(writing, "litert_outputs", refuse)
    code, _, complaint = auscult("firmware", tflite, "--target", "host", "-o", tmp_path / "firmware")
    assert (code, "not today" in complaint) == (1, True)
    assert [path.name for path in tmp_path.iterdir()] == [tflite.name]
