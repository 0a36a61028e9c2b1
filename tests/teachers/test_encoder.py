"""The registry of encoders, and what every encoder in it promises."""

import json
import sys
from pathlib import Path

import pytest
import torch

import teachers
from lungsound.errors import InputError
from lungsound.listening import Listening
from lungsound.logmel import SPECS
from teachers import encoder as registry
from teachers.encoder import build, card_of, config_from, config_values, encoders, find
from teachers.offers import offers
from teachers.teacher import Teacher, TeacherConfig

LISTENING = Listening.with_whole_hop(SPECS["device_4k"], 2.0, 1.0)


def small(name):
    kind = encoders()[name]
    torch.manual_seed(0)
    return build(kind.scratch_config(kind.usual_size, LISTENING)).eval()


@pytest.mark.parametrize("name", encoders())
@pytest.mark.parametrize("frames", [LISTENING.frames, 2 * LISTENING.frames + 3])
@torch.inference_mode()
def test_grids_have_the_shapes_that_the_encoder_tells(name, frames):
    encoder = small(name)
    grids = encoder.encode_layers(torch.randn(3, 1, LISTENING.logmel.n_mels, frames))
    assert [(grid.shape[0], grid.shape[1], grid.shape[3]) for grid in grids] == [(3, *s) for s in encoder.shapes]
    assert all(grid.shape[2] >= 1 for grid in grids)


@pytest.mark.parametrize("name", encoders())
@torch.inference_mode()
def test_windows_of_a_batch_do_not_hear_each_other(name):
    encoder = small(name)
    x = torch.randn(3, 1, LISTENING.logmel.n_mels, LISTENING.frames)
    for together, alone in zip(encoder.encode_layers(x), encoder.encode_layers(x[1:2]), strict=True):
        torch.testing.assert_close(together[1:2], alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", encoders())
@torch.inference_mode()
def test_low_mels_come_first_and_time_runs_forward(name):
    """A click late and low in the window changes the first row and the last column most."""
    encoder = small(name)
    quiet = torch.zeros(1, 1, LISTENING.logmel.n_mels, LISTENING.frames)
    click = quiet.clone()
    click[:, :, :4, -18:-10] = 3.0
    change = (encoder.encode_layers(click)[0] - encoder.encode_layers(quiet)[0]).abs().amax(-1)[0]
    row, column = divmod(int(change.argmax()), change.shape[1])
    assert row < change.shape[0] / 4
    assert column > 0.6 * change.shape[1]


@pytest.mark.parametrize("name", encoders())
@pytest.mark.parametrize("pooling", ["frames", "tokens", "mean"])
@torch.inference_mode()
def test_a_teacher_of_any_encoder_survives_the_disk(name, pooling, tmp_path):
    config = TeacherConfig(small(name).config, (1, 3), pooling=pooling, classes=3)
    teacher = Teacher(config).eval()
    teacher.save_weights(tmp_path / "weights.safetensors")
    again = Teacher.load(json.loads(json.dumps(config.to_dict())), tmp_path / "weights.safetensors").eval()
    assert again.config == config
    x = torch.randn(2, 1, LISTENING.frames, LISTENING.logmel.n_mels)
    said = again(x)
    assert said.logits.shape == (2, 3)
    assert said.embedding.shape == (2, teacher.embedding_dim)
    assert torch.equal(said.logits, teacher(x).logits)


@pytest.mark.parametrize("name", encoders())
def test_cards_say_what_they_are(name):
    kind = encoders()[name]
    for card in kind.cards:
        assert all((card.name, card.licence, card.paper, card.note, card.url.startswith("https://")))
        assert card.logmel in SPECS
        assert find(card.name) == (kind, card)
    assert {card_of(alias) for alias in kind.aliases} <= set(kind.cards)


def test_names_that_do_not_exist():
    with pytest.raises(InputError, match=r"cnn6.*m2d_vit_base|m2d.*cnn6.*m2dx"):
        find("nonsense")
    with pytest.raises(InputError, match="names of their own"):
        card_of("m2d")


def test_a_run_without_the_encoders_name_is_of_m2d():
    values = config_values(small("m2d").config)
    assert values["name"] == "m2d"
    del values["name"]
    assert config_from(values) == small("m2d").config


@pytest.mark.parametrize(
    "values",
    [
        {},
        None,
        [],
        {"name": "nonsense"},
        {"name": ["m2d"]},
        {"name": "cnn6"},
        {"name": "cnn6", "widths": 3, "mels": 64},
        {"name": "cnn6", "widths": [8] * 3, "mels": 64},
        {"name": "cnn6", "widths": [8] * 4, "mels": 8},
        {"name": "cnn6", "widths": ["8"] * 4, "mels": 64},
    ],
)
def test_a_damaged_description_is_one_sentence(values):
    with pytest.raises(InputError):
        config_from(values)


NEWCOMER = """
from dataclasses import dataclass

from torch import nn

from lungsound.logmel import SPECS
from teachers.encoder import Encoder, register


@dataclass(frozen=True)
class StripesConfig:
    mels: int
    width: int


@register("stripes")
class Stripes(Encoder):
    Config = StripesConfig
    sizes = "narrow"
    usual_size = "narrow"

    def __init__(self, config):
        super().__init__(config)
        self.conv = nn.Conv1d(config.mels, config.width, 3, padding=1)

    @classmethod
    def scratch_config(cls, size, listening):
        return StripesConfig(listening.logmel.n_mels, 12) if size == "narrow" else cls.refuse_size(size)

    @property
    def logmel(self):
        return SPECS["device_4k"]

    @property
    def shapes(self):
        return ((1, self.config.width),)

    def encode_layers(self, x):
        return [self.conv(x[:, 0]).transpose(1, 2)[:, None]]
"""


@pytest.fixture
def newcomer(tmp_path, monkeypatch):
    """An encoder in one file beside the others."""
    (tmp_path / "stripes.py").write_text(NEWCOMER)
    monkeypatch.setattr(teachers, "__path__", [*teachers.__path__, str(tmp_path)])
    monkeypatch.setattr(registry, "_REGISTERED", dict(encoders()))
    yield
    sys.modules.pop("teachers.stripes", None)


def test_what_is_offered_is_what_the_encoders_are():
    assert offers().keys() == {name for name in encoders() if name != "stripes"}
    for name, offer in offers().items():
        encoder = encoders()[name]
        assert (encoder.cards, encoder.aliases) == (offer.cards, offer.aliases)
        assert (encoder.sizes, encoder.usual_size) == (offer.sizes, offer.usual_size)
        assert set(offer.aliases.values()) <= {card.name for card in offer.cards}


def test_a_new_encoder_is_one_file(newcomer, small_options, place, tmp_path):
    from teachers.settings import FinetuneSettings, usual_size
    from teachers.start import run_name
    from teachers.training import finetune

    assert usual_size("stripes") == "narrow"
    with pytest.raises(InputError, match="choose from narrow, published"):
        find("stripes")[0].scratch_config("wide", LISTENING)
    with pytest.raises(InputError, match="no published weights"):
        find("stripes")[0].read(Path("weights.pth"))
    settings = FinetuneSettings("stripes", "narrow", data=small_options, epochs=1)
    assert run_name(settings) == "stripes-narrow-from-scratch"
    run = finetune(settings, tmp_path / "run", place / "cache")
    assert run.model["encoder"] == {"name": "stripes", "mels": 64, "width": 12}
    assert run.teacher["name"] == "stripes-narrow-from-scratch"
    assert Teacher.load(run.model, run.weights).embedding_dim == 12
