import os

import numpy as np
import pytest
import torch
from published_panns import published_file

from lungsound.errors import InputError
from lungsound.networks.panns import load_panns_cnn6
from students.student import Student, StudentConfig


def test_front_end_is_skipped_and_shapes_come_from_the_file(tmp_path):
    path = tmp_path / "Cnn6.pth"
    state = published_file(path)
    network = load_panns_cnn6(path)
    assert network.widths == (8, 16, 24, 32)
    assert not network.training
    for name, value in network.state_dict().items():
        assert torch.equal(value, state[name])


def test_a_student_of_full_width_starts_from_the_trunk(tmp_path):
    path = tmp_path / "Cnn6.pth"
    state = published_file(path, widths=(64, 128, 256, 512))
    student = Student(StudentConfig(width=1))
    head = student.head.score.weight.clone()
    student.start_from(path)
    for name, value in student.trunk.state_dict().items():
        assert torch.equal(value, state[name])
    assert torch.equal(student.head.score.weight, head)


def test_a_narrow_student_is_refused(tmp_path):
    path = tmp_path / "Cnn6.pth"
    published_file(path, widths=(64, 128, 256, 512))
    with pytest.raises(InputError, match="width 1"):
        Student(StudentConfig(width=0.25)).start_from(path)


class Harmful:
    def __reduce__(self):
        return os.system, ("exit 1",)


@pytest.mark.parametrize(
    "content",
    [
        {"model": Harmful()},
        {"model": {3: torch.zeros(1)}},
        [1, 2],
        {"weights": {}},
        {"model": {"bn0.weight": 3}},
        {"model": {}},
        torch.zeros(3),
    ],
)
def test_something_else_in_the_file(tmp_path, content):
    path = tmp_path / "Cnn6.pth"
    torch.save(content, path)
    with pytest.raises(InputError, match=r"Cnn6\.pth: "):
        load_panns_cnn6(path)


@pytest.mark.parametrize("content", [b"", b"RIFF....WAVE", b"PK\x03\x04 cut"])
def test_no_checkpoint_at_all(tmp_path, content):
    path = tmp_path / "Cnn6.pth"
    path.write_bytes(content)
    with pytest.raises(InputError, match="not a file of tensors alone"):
        load_panns_cnn6(path)


def test_a_file_cut_in_the_middle(tmp_path):
    path = tmp_path / "Cnn6.pth"
    published_file(path)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(InputError, match="not a file of tensors alone"):
        load_panns_cnn6(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"conv_block2.conv1.weight": torch.zeros(16, 9, 5, 5)},
        {"extra.weight": torch.zeros(1)},
        {"conv_block1.conv1.weight": torch.tensor(0.0)},
        {"fc1.bias": torch.full((32,), np.nan)},
        {"bn0.weight": torch.ones(1).expand(10**9)},
        {"bn0.weight": torch.ones(64).to_sparse()},
    ],
)
def test_tensors_that_are_no_cnn6(tmp_path, changes):
    path = tmp_path / "Cnn6.pth"
    published_file(path, **changes)
    with pytest.raises(InputError, match=r"Cnn6\.pth: "):
        load_panns_cnn6(path)


def test_a_missing_file_says_where_to_get_it(tmp_path):
    with pytest.raises(InputError, match="3987831"):
        load_panns_cnn6(tmp_path / "none.pth")
