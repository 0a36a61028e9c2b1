import pytest
import torch
from torch import nn

from lungsound.errors import InputError
from students.registry import StudentCard, families, family, register
from students.student import Student, StudentConfig


def card(name: str, **options) -> StudentCard:
    texts = {"summary": "s", "paper": "p", "licence": "c", "input": "i", "width": "w"}
    return StudentCard(name, **texts | options)


@register(card("one_convolution", smallest_input=8))
class OneConvolution(nn.Module):
    """A family registered outside of the package, as a test or a plug-in would."""

    def __init__(self, width: float, dropout: float) -> None:
        super().__init__()
        self.channels = int(8 * width)
        self.layers = nn.Sequential(nn.Conv2d(1, self.channels, 3, stride=2), nn.ReLU(), nn.Dropout(dropout))

    def forward(self, x):
        return self.layers(x)


def test_every_card_says_what_it_is():
    for name, found in families().items():
        assert name == found.card.name
        assert all((found.card.summary, found.card.paper, found.card.licence, found.card.width))


@pytest.mark.parametrize("head", ["csra", "linear"])
def test_a_family_from_elsewhere_is_a_student(head):
    student = Student(StudentConfig(trunk="one_convolution", width=2, head=head)).eval()
    assert student(torch.randn(2, 1, 12, 9)).shape == (2, 2)
    assert student.embed(torch.randn(2, 1, 12, 9)).shape == (2, 16)
    with pytest.raises(InputError, match="at least 8"):
        student(torch.zeros(1, 1, 7, 9))


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(InputError, match=r"cnn6, .*one_convolution"):
        family("resnet")


def test_two_families_of_one_name():
    with pytest.raises(InputError, match="two students are called 'cnn6'"):

        @register(card("cnn6"))
        class Another(nn.Module):
            pass


def test_a_trunk_without_channels(monkeypatch):
    monkeypatch.setattr("students.registry._FAMILIES", families())
    register(card("no_channels"))(lambda width, dropout: nn.Identity())
    with pytest.raises(InputError, match="no_channels: its trunk must be a torch module with `channels`"):
        Student(StudentConfig(trunk="no_channels"))


def test_a_family_without_published_weights(tmp_path):
    with pytest.raises(InputError, match="no published weights"):
        Student(StudentConfig(trunk="one_convolution")).start_from(tmp_path / "w.pth")
