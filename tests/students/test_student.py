import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from lungsound.errors import InputError
from students.registry import families
from students.student import HEADS, Student, StudentConfig

SMALL = StudentConfig(width=1 / 8, heads=4, dropout=0.0)


@pytest.fixture
def saved(tmp_path):
    torch.manual_seed(0)
    student = Student(SMALL).eval()
    path = tmp_path / "weights.safetensors"
    student.save_weights(path)
    return student, path


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("name", families())
def test_every_trunk_gives_logits_embeddings_and_attention(name, head):
    student = Student(StudentConfig(trunk=name, width=1 / 8, heads=2, head=head)).eval()
    x = torch.randn(3, 1, 89, 41)
    feature_map = student.features(x)
    assert student(x).shape == (3, 2)
    assert student.embed(x).shape == (3, student.embedding_dim)
    assert torch.equal(student(x), student.head(feature_map))
    assert torch.equal(student.embed(x), student.pool(feature_map))
    attention = student.head.attention(feature_map)
    assert attention.shape == (3, 2, *feature_map.shape[2:])
    torch.testing.assert_close(attention.sum((2, 3)), torch.ones(3, 2))


@pytest.mark.parametrize("config", [SMALL, StudentConfig(heads=4, temperatures=(1, 2, 3, 99)), StudentConfig(heads=6)])
def test_configuration_survives_json(config):
    assert StudentConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_a_configuration_from_before_there_were_two_heads():
    earlier = {name: value for name, value in SMALL.to_dict().items() if name != "head"}
    assert StudentConfig.from_dict(earlier) == SMALL


def test_a_window_that_is_too_small_for_the_family():
    with pytest.raises(InputError, match="15 frames of 32 mels are too few for cnn6"):
        Student(SMALL)(torch.zeros(1, 1, 15, 32))


def test_other_temperatures_than_the_table():
    assert StudentConfig(heads=4).head_temperatures == (1, 2, 4, 99)
    assert Student(StudentConfig(heads=4, temperatures=(1, 2, 3, 99))).head.temperatures == (1, 2, 3, 99)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"trunk": "cnn7"}, "cnn6"),
        ({"head": "tail"}, "csra, linear, mlp"),
        ({"heads": 3}, "1, 2, 4, 6, 8"),
        ({"heads": 2, "temperatures": [1.0]}, "2 heads"),
        ({"heads": 1, "temperatures": [-1.0]}, "positive"),
        ({"width": 0}, "width"),
        ({"width": float("nan")}, "width"),
        ({"classes": 0}, "classes"),
        ({"classes": "two"}, "student configuration"),
        ({"dropout": 1.5}, "dropout"),
        ({"lam": -1}, "lam"),
        ({"heads": None}, "student configuration"),
        ({"colour": "red"}, "exactly the keys"),
    ],
)
def test_nonsense_is_refused_in_a_sentence(change, said):
    with pytest.raises(InputError, match=said):
        StudentConfig.from_dict(SMALL.to_dict() | change)


def test_weights_survive_the_disk(saved):
    student, path = saved
    again = Student.load(SMALL.to_dict(), path).eval()
    x = torch.randn(2, 1, 32, 32)
    assert torch.equal(student(x), again(x))


def test_a_missing_file(tmp_path):
    with pytest.raises(InputError, match="missing"):
        Student.load(SMALL.to_dict(), tmp_path / "none.safetensors")


@pytest.mark.parametrize("damage", [lambda b: b[:100], lambda b: b"\x80\x04not tensors", lambda b: b""])
def test_a_damaged_file(saved, damage):
    _, path = saved
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match="not a safetensors file"):
        Student.load(SMALL.to_dict(), path)


def test_weights_of_another_width(saved):
    with pytest.raises(InputError, match="does not fit"):
        Student.load(StudentConfig(width=1 / 4, heads=4).to_dict(), saved[1])


def test_a_value_that_is_not_finite(saved):
    _, path = saved
    state = load_file(path)
    state["head.score.weight"][0, 0] = float("nan")
    save_file(state, path)
    with pytest.raises(InputError, match="not finite"):
        Student.load(SMALL.to_dict(), path)
