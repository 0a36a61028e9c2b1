"""Stored teacher outputs: damaged ones are made again to the same bits, a full disk is a sentence."""

import numpy as np
import pytest
import torch
from full_disk import files_up_to
from torch import nn

from distill.store import teacher_outputs
from lungsound.errors import InputError
from lungsound.training.data import Part
from teachers.teacher import TeacherOutput


class Echo(nn.Module):
    """A teacher of two labels whose embedding is the window's mean over time."""

    class config:
        @staticmethod
        def to_dict():
            return {"name": "echo"}

    def __init__(self):
        super().__init__()
        self.runs = 0
        self.scale = nn.Parameter(torch.tensor(2.0))

    def forward(self, x):
        self.runs += 1
        embedding = self.scale * x[:, 0].mean(1)
        return TeacherOutput(embedding[:, :2], embedding)


@pytest.fixture(scope="module")
def part(small_options):
    listening = small_options.listening()
    windows = small_options.select().windows("train", small_options.protocols, listening).head(40)
    return Part(windows, np.empty(0), np.zeros((len(windows), 2), np.int64))


@pytest.fixture
def outputs(small_options, part, tmp_path):
    """Ask a new teacher, and return what it said and how often it ran."""

    def ask():
        teacher = Echo()
        said = teacher_outputs(teacher, small_options.listening(), part, tmp_path)
        return np.array(said.logits), np.array(said.embedding), teacher.runs

    return ask


def test_the_teacher_runs_once(outputs, tmp_path):
    first, second = outputs(), outputs()
    assert first[2] == 2  # batches of 32
    assert second[2] == 0
    np.testing.assert_array_equal(first[1], second[1])
    np.testing.assert_array_equal(first[0], first[1][:, :2])
    (folder,) = (tmp_path / "teacher_outputs").iterdir()
    np.testing.assert_array_equal(np.load(folder / "embedding.npy"), first[1])


def flip(content):
    return content[:-100] + bytes([content[-100] ^ 4]) + content[-99:]


DAMAGES = {"flipped": flip, "cut": lambda content: content[:-5], "emptied": lambda _: b"", "deleted": None}


@pytest.mark.parametrize("name", ["logits", "embedding"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_damaged_is_made_again(outputs, tmp_path, name, damage, capfd):
    good = outputs()
    (folder,) = (tmp_path / "teacher_outputs").iterdir()
    file = folder / f"{name}.npy"
    if DAMAGES[damage] is None:
        file.unlink()
    else:
        file.write_bytes(DAMAGES[damage](file.read_bytes()))
    capfd.readouterr()
    again = outputs()
    assert f"note: {folder} is damaged; it is made again\n" in capfd.readouterr().err
    for one, other in zip(good, again, strict=True):
        np.testing.assert_array_equal(one, other)
    assert outputs()[2] == 0
    assert list((tmp_path / "teacher_outputs").iterdir()) == [folder]


def test_a_full_disk_is_a_sentence(outputs, tmp_path):
    outputs()
    (folder,) = (tmp_path / "teacher_outputs").iterdir()
    (folder / "logits.npy").unlink()
    with files_up_to(1024), pytest.raises(InputError, match="the disk is full"):
        outputs()
    assert list((tmp_path / "teacher_outputs").iterdir()) == [folder]
