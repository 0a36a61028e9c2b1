"""`auscult classify --live`, with a microphone that a test holds in its hands."""

import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import soxr

from auscult.classify.engine import open_engine
from export.bundle.opening import Bundle
from lungsound.audio import to_pcm
from lungsound.labels import NOTICE

BUNDLE = Path(__file__).parents[2] / "data" / "before" / "bundle"
LIVE = ["classify", "--model", BUNDLE, "--live"]
RATE = 16000


class Microphone(ModuleType):
    """What `sounddevice` is to a program: it calls back with blocks of sound as soon as it is listened to."""

    PortAudioError = type("PortAudioError", (Exception,), {})

    def __init__(self, sound: np.ndarray, *, overflow: bool = False) -> None:
        super().__init__("sounddevice")
        self.sound, self.overflow, self.asked = sound, overflow, []

    def query_devices(self, device, kind):
        self.asked.append((device, kind))
        if device == "none":
            raise ValueError("No input device matching 'none'")
        return {"default_samplerate": float(RATE)}

    def InputStream(self, samplerate, *, device, channels, dtype, callback):
        assert (samplerate, channels, dtype) == (RATE, 1, "int16")
        microphone = self

        class Stream:
            def __enter__(self):
                for block in np.array_split(microphone.sound, 37):
                    callback(block[:, None], len(block), None, SimpleNamespace(input_overflow=microphone.overflow))

            def __exit__(self, *raised):
                pass

        return Stream()


@pytest.fixture
def sound() -> np.ndarray:
    """Ten seconds of the sounds that bundles are tested with, as a microphone of 16 kHz hears them."""
    pcm = Bundle.open(BUNDLE).golden.pcm[2:7].ravel()
    return to_pcm(soxr.resample(pcm / 32768.0, 4000, RATE, quality="VHQ"))


@pytest.fixture
def microphone(sound, monkeypatch) -> Microphone:
    """The microphone of this computer."""
    made = Microphone(sound)
    monkeypatch.setitem(sys.modules, "sounddevice", made)
    return made


def test_a_microphone_is_heard_as_a_recording_is(auscult, microphone, sound, tmp_path):
    code, said, complaint = auscult(*LIVE, "--for", 9, "--microphone", 2, "--audacity", tmp_path, "--json")
    assert (code, complaint) == (0, "")
    (found,) = json.loads(said)["files"]
    pcm = to_pcm(soxr.resample(sound[: 9 * RATE] / 32768.0, RATE, 4000, quality="VHQ"))
    bundle = Bundle.open(BUNDLE)
    with open_engine(bundle, "litert", "single", tmp_path).listening() as hear:
        codes = hear(pcm)
    output = bundle.manifest.output
    logits = (codes.astype(float) - output.zero_point) * output.scale
    likely = [[window["probability"][label] for label in ("crackle", "wheeze")] for window in found["windows"]]
    np.testing.assert_allclose(likely, 1 / (1 + np.exp(-logits)), rtol=1e-9)
    assert found["seconds"] == 9.0
    assert microphone.asked == [(2, "input")]
    assert NOTICE in (tmp_path / "microphone.txt").read_text()


def test_every_window_is_told_when_it_ends(auscult, microphone):
    code, said, _ = auscult(*LIVE, "--for", 8)
    lines = said.splitlines()
    assert code == 0
    assert lines[0].split()[:4] == ["0.00", "to", "2.00", "s"]
    assert [line for line in lines if " to " in line][3].split()[0] == "5.95"
    assert lines[-1] == NOTICE


def test_the_keyboard_ends_it_and_what_was_heard_stands(auscult, microphone, monkeypatch):
    def pressed(self, timeout):
        if self.empty():
            raise KeyboardInterrupt
        return self._get()

    monkeypatch.setattr("queue.Queue.get", pressed)
    code, said, _ = auscult(*LIVE, "--json")
    assert code == 0
    assert json.loads(said)["files"][0]["seconds"] == pytest.approx(10, abs=0.1)


def test_lost_samples_are_told(auscult, microphone):
    microphone.overflow = True
    assert "note: samples were lost" in auscult(*LIVE, "--for", 3)[2]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--microphone", "none"], "--live: no microphone (No input device matching 'none')"),
        (["--for", 1], "--live: heard less than the window of 2 s"),
        (["--for", 30], "--live: no sound for 0.01 s"),
    ],
)
def test_what_goes_wrong_is_a_sentence(auscult, microphone, monkeypatch, words, sentence):
    monkeypatch.setattr("auscult.classify.live._PATIENCE", 0.01)
    code, _, complaint = auscult(*LIVE, *words, "--json")
    assert code == 1
    (line,) = complaint.splitlines()
    assert line.startswith(f"error: {sentence}")


def test_without_sounddevice_the_extra_is_named(auscult, monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    code, said, complaint = auscult(*LIVE)
    assert (code, said) == (1, "")
    assert complaint.endswith("pip install 'auscult-edge[live]'\n")
