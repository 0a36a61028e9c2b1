"""Students that hear sound through a front end that is learnt with them."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from published_panns import published_file

from distill.augment import RandomSoundGain
from distill.losses import LossWeights
from distill.module import DistillModule
from distill.settings import DistillSettings
from distill.start import describe, run_name, start_of
from distill.taught import outputs_of
from lungsound.errors import InputError
from lungsound.features import pcm_windows, prepare
from lungsound.files.record import read_object
from lungsound.logmel import SPECS
from lungsound.networks.leaf_config import front_end_named
from lungsound.training.data import prepare_training
from lungsound.training.optimisation import Optimisation
from lungsound.training.runs import Run
from lungsound.training.settings import load_settings
from students.registry import families
from students.student import Student, StudentConfig

ALONE = LossWeights(logits=0, embedding=0)
LOGMEL = SPECS["device_4k"]


def student_behind(name: str, **others) -> Student:
    """A small student, its weights drawn from one seed."""
    torch.manual_seed(0)
    return Student(StudentConfig(width=1 / 16, heads=1, front_end=front_end_named(name, LOGMEL), **others))


def test_a_run_tells_its_front_end_and_keeps_what_was_learnt(small_hearer, small_options):
    run = Run.load(small_hearer.path)
    front_end = front_end_named("leaf-logtbn", LOGMEL)
    assert run.model["front_end"]["compression"] == "logtbn"
    assert any("SpecAugment masked the learnt spectrogram" in note for note in run.notes)
    student = Student.load(run.model, run.weights)
    assert student.config.front_end == front_end
    drawn = Student(student.config).front_end.filterbank
    for name in ("center_freqs", "bandwidths", "pooling_widths"):
        learnt = student.front_end.filterbank.get_parameter(name)
        assert not torch.equal(learnt, drawn.get_parameter(name))
    assert (run.listening.logmel.mean, run.listening.logmel.std) == (0.0, 1.0)
    settings = load_settings(run.path, DistillSettings)
    assert settings.student == replace(student.config, classes=2)
    assert run_name(settings) == f"cnn6-leaf-logtbn-from-{run.teacher['name']}"
    assert "behind leaf-logtbn, from the teacher" in describe(settings)


def test_settings_of_other_students_name_no_front_end(small_student):
    assert "front_end" not in read_object(small_student.path / "settings.json")["student"]
    assert "front_end" not in json.loads((small_student.path / "run.json").read_text())["model"]


def test_it_hears_the_samples_that_a_device_would(small_options, place):
    data = prepare_training(small_options, place / "cache", sound=True)
    pcm = pcm_windows(data.validation.windows, LOGMEL.sample_rate, 2.0)
    assert np.array_equal(data.validation.features * 32768.0, pcm)
    logmels = prepare(data.validation.windows, LOGMEL, 2.0, place / "cache")
    assert logmels.shape[1:] == (LOGMEL.frames(8000), 64)  # another file of the cache


def test_it_teaches_another_student(small_hearer, small_options, place):
    part = prepare_training(small_options, place / "cache").validation
    outputs = outputs_of(small_hearer, part, ("crackle", "wheeze"), place / "cache")
    student = Student.load(small_hearer.model, small_hearer.weights).eval()
    sound = torch.from_numpy(pcm_windows(part.windows, LOGMEL.sample_rate, 2.0)[:4] / np.float32(32768))
    with torch.inference_mode():
        due = student(sound).numpy()
    np.testing.assert_allclose(outputs.logits[:4], due, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ["leaf-logtbn", "leaf-pcen"])
def test_one_step_moves_centres_and_widths(name):
    optimised = Optimisation(1e-3, 0.0)
    module = DistillModule(student_behind(name), (), ALONE, optimised, RandomSoundGain(3.0), torch.nn.Identity())
    batch = {"x": 0.1 * torch.randn(4, 8000), "labels": torch.tensor([[0.0, 1], [1, 0], [1, 1], [0, 0]])}
    before = {name: value.detach().clone() for name, value in module.student.front_end.named_parameters()}
    optimizer = torch.optim.AdamW(module.parameters(), 1e-3, weight_decay=0.0)
    module.losses(batch)["labels"].backward()
    for parameter_name, parameter in module.student.front_end.named_parameters():
        assert parameter.grad.abs().max() > 0, parameter_name
    optimizer.step()
    for parameter_name, parameter in module.student.front_end.named_parameters():
        assert not torch.equal(parameter, before[parameter_name]), parameter_name
    centres = before["filterbank.center_freqs"]
    with torch.no_grad():
        module.student.front_end.filterbank.center_freqs[0] = -1.0
    module.losses(batch)
    assert module.student.front_end.filterbank.center_freqs[0] == 0, "beyond its limit"
    assert centres[0] > 0


def test_a_gain_scales_samples():
    x = torch.ones(4000, 3)
    torch.manual_seed(0)
    scaled = RandomSoundGain(4.0)(x)
    assert torch.equal(scaled, scaled[:, :1].expand_as(scaled))
    assert float((20 * scaled[:, 0].log10()).std()) == pytest.approx(4.0, rel=0.05)
    assert torch.equal(RandomSoundGain(0.0)(x), x)


@pytest.mark.parametrize("family", families())
@pytest.mark.parametrize("name", ["leaf-logtbn", "leaf-pcen"])
def test_any_family_takes_its_spectrogram(family, name):
    student = student_behind(name, trunk=family).eval()
    assert student.rows is None, "its frames know what stands beside their window"
    with torch.inference_mode():
        assert student(torch.randn(1, 16000)).shape == (1, 2)


def test_a_trunk_of_two_channels_begins_as_one_that_sees_their_mean():
    behind, plain = student_behind("leaf-logtbn").eval(), student_behind("logmel").eval()
    spectrogram = torch.randn(1, 2, 64, 64)
    with torch.inference_mode():
        found = behind.feature_map(spectrogram)
        torch.testing.assert_close(found, plain.feature_map(spectrogram.mean(1, keepdim=True)), rtol=1e-4, atol=1e-5)


def test_published_weights_start_the_trunk(tmp_path, small_options):
    file = tmp_path / "cnn6.pth"
    published_file(file, (8, 16, 32, 64))
    student = StudentConfig(width=0.125, heads=1, front_end=front_end_named("leaf-logtbn", LOGMEL))
    told = {"losses": ALONE, "student_weights": str(file)}
    started = start_of(DistillSettings(None, small_options, student, **told)).student
    plain = start_of(DistillSettings(None, small_options, replace(student, front_end=None), **told)).student
    stem = "conv_block1.conv1.weight"
    weights = plain.trunk.state_dict()
    for name, value in started.trunk.state_dict().items():
        due = weights[name].repeat(1, 2, 1, 1) / 2 if name == stem else weights[name]
        assert torch.equal(value, due), name


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"seconds": 0.4, "hop_seconds": 0.2}, "13 frames of 64 mels are too few for cnn6"),
        ({"logmel": "multibreath"}, "leaf-logtbn hears 4000 Hz, the windows have 16000"),
    ],
)
def test_windows_that_do_not_fit_are_refused(small_options, data, said):
    student = StudentConfig(width=1 / 16, front_end=front_end_named("leaf-logtbn", LOGMEL))
    with pytest.raises(InputError, match=said):
        start_of(DistillSettings(None, replace(small_options, **data), student, ALONE))


def test_a_trunk_without_one_stem_is_refused(monkeypatch):
    from students import registry

    class Twice(torch.nn.Module):
        channels = 4

        def __init__(self, width, dropout):
            super().__init__()
            self.one, self.other = torch.nn.Conv2d(1, 4, 3), torch.nn.Conv2d(1, 4, 3)

    card = registry.StudentCard("twice", "", "", "", "", "")
    monkeypatch.setitem(registry._FAMILIES, "twice", registry.Family(card, Twice))
    with pytest.raises(InputError, match="2 convolutions of one channel cannot take 2 channels"):
        student_behind("leaf-logtbn", trunk="twice")


@pytest.mark.parametrize(
    ("value", "said"),
    [("leaf", "'str'|must be an object"), ({"compression": "log"}, "must be logtbn or pcen"), ({"hop": 0}, "hop")],
)
def test_a_description_that_makes_no_sense_is_refused(value, said):
    config = StudentConfig(front_end=front_end_named("leaf-pcen", LOGMEL)).to_dict()
    front_end = config["front_end"] | value if isinstance(value, dict) else value
    with pytest.raises(InputError, match=said):
        StudentConfig.from_dict(config | {"front_end": front_end})
