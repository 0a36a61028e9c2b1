"""What was written as JSON is what is read, or it is refused."""

import hashlib
import json

import pytest
from full_disk import files_up_to

from lungsound.errors import InputError
from lungsound.files.record import read_object, write_object

VALUES = {"thresholds": [0.25, -1.5], "name": "größer", "hash": "0" * 64, "seed": 3}


@pytest.fixture
def file(tmp_path):
    write_object(tmp_path / "run.json", VALUES)
    return tmp_path / "run.json"


def test_what_was_written_is_read(file):
    assert read_object(file) == VALUES
    assert json.loads(file.read_text()).keys() == {"sha256", *VALUES}


def test_the_sha256_is_that_of_the_text_with_zeros_in_its_place(file):
    seal = json.loads(file.read_text())["sha256"]
    assert hashlib.sha256(file.read_bytes().replace(seal.encode(), b"0" * 64)).hexdigest() == seal


def test_a_flipped_bit_is_refused_or_leaves_every_value(file):
    content = file.read_bytes()
    for bit in range(0, 8 * len(content), 5):  # every bit of a byte has its turn
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        file.write_bytes(damaged)
        try:
            found = read_object(file)
        except InputError:
            continue
        assert found.keys() - VALUES.keys(), bit  # its sha256 has another name: a reader refuses what it does not know
        assert {name: found[name] for name in VALUES} == VALUES


def test_cut_files_are_refused(file):
    content = file.read_bytes()
    for length in range(len(content)):
        file.write_bytes(content[:length])
        with pytest.raises(InputError):
            read_object(file)


def test_files_of_before_are_read(file):
    file.write_text(json.dumps(VALUES))
    assert read_object(file) == VALUES


@pytest.mark.parametrize("seal", ["", None, 3, "0" * 64, [], "größer"])
def test_seals_of_other_hands_are_refused(file, seal):
    file.write_text(json.dumps(VALUES | {"sha256": seal}))
    with pytest.raises(InputError, match="sha256"):
        read_object(file)


def test_a_full_disk_leaves_the_earlier_file(file):
    with files_up_to(50), pytest.raises(InputError, match=r"run\.json: the disk is full"):
        write_object(file, VALUES | {"seed": 4})
    assert read_object(file) == VALUES
    assert [path.name for path in file.parent.iterdir()] == ["run.json"]
