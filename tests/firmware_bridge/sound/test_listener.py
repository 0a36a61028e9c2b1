import functools
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from host import SANITIZERS
from hypothesis import given
from hypothesis import strategies as st
from keep_rows import write_keep_rows

from firmware_bridge.device.qemu import build, run
from firmware_bridge.sound.frontend import write_frontend
from firmware_bridge.sound.listener import label_constants, open_windows, write_listener
from lungsound.front_end import codes_of, front_end
from lungsound.listening import Listening
from lungsound.logmel import SPECS, log_mel, normalise
from lungsound.quantization import Quantization
from lungsound.recording_mean import HeardRecording

MAIN = Path(__file__).parents[1] / "support" / "listener_windows.c"
SCALE, ZERO_POINT = 0.02, -5
STATISTICS = {"corpus": (-7.0, 4.0), "recording": (0.2, 2.0)}


@pytest.fixture(scope="module")
def program(installed, tmp_path_factory):
    """A function that builds a listener with a main of the tests, each once; a 32-bit core's without sanitizers."""

    @functools.cache
    def built(name, seconds, hop_seconds, *, overlapping=True, shares=None, target="host", normalisation="corpus"):
        folder = tmp_path_factory.mktemp("listener")
        spec = replace(SPECS[name], normalisation=normalisation).with_statistics(*STATISTICS[normalisation])
        listening = Listening.with_whole_hop(spec, seconds, hop_seconds)
        sources = write_frontend(folder, listening.logmel, SCALE, ZERO_POINT)
        sources += write_listener(folder, listening, [0], overlapping=overlapping)
        write_keep_rows(folder, listening.frames, shares)
        flags = SANITIZERS if target == "host" else ()
        made = build([*sources, MAIN], installed(target), folder / target, include=[folder], flags=flags)
        assert made.warnings == ""
        return listening, made

    return built


def decisions(program, pcm, *, step, forgotten=False):
    listening, built = program
    inputs = {"pcm.bin": pcm.tobytes(), "how.bin": np.asarray([step, forgotten], np.uint32).tobytes()}
    done = run(built, inputs=inputs, outputs=["scores.bin", "negative.bin"])
    assert done.status == 0, done.text
    shape = (-1, listening.frames, listening.logmel.n_mels)
    return [np.frombuffer(done.files[name], np.int8).reshape(shape) for name in ("scores.bin", "negative.bin")]


def reference(listening, pcm, hop):
    windows = np.lib.stride_tricks.sliding_window_view(pcm, listening.samples)[::hop]
    codes = np.rint(normalise(listening.logmel, log_mel(listening.logmel, windows / 32768.0)) / SCALE) + ZERO_POINT
    return np.clip(codes, -128, 127).astype(np.int16)


def noise(samples):
    return np.random.default_rng(1).normal(0, 2000, samples).astype(np.int16)


@pytest.mark.parametrize(
    ("name", "seconds", "hop_seconds"),
    [("device_4k", 1.0, 0.5), ("device_4k", 0.5, 0.2), ("device_4k", 0.3, 0.7), ("m2d", 0.31, 0.1), ("m2d", 0.2, 0.2)],
)
@pytest.mark.parametrize("step", [1, 61, 5000])
def test_every_window_of_a_stream_is_decided_as_if_it_were_alone(program, name, seconds, hop_seconds, step):
    listening, _ = built = program(name, seconds, hop_seconds)
    pcm = noise(3 * listening.logmel.sample_rate + 17)
    found = decisions(built, pcm, step=step)
    for scores, heard in zip(found, (pcm, ~pcm), strict=True):
        wanted = reference(listening, heard, listening.hop_samples)
        assert scores.shape == wanted.shape
        assert np.abs(scores - wanted).max() <= 1
        # Windows that overlap repeat a frame, and with it a code that differs.
        assert np.count_nonzero(scores - wanted) <= wanted.size / 10_000


@pytest.mark.parametrize("name", ["device_4k", "m2d"])
@pytest.mark.parametrize("hop_seconds", [0.1, 0.31])
@pytest.mark.parametrize("step", [1, 5000])
def test_what_a_limit_leaves_to_do_delays_a_decision_and_changes_none(program, name, hop_seconds, step):
    pcm = noise(2 * SPECS[name].sample_rate + 17)
    at_once, later = (
        decisions(program(name, 0.31, hop_seconds, shares=shares), pcm, step=step) for shares in (None, 7)
    )
    for wanted, found in zip(at_once, later, strict=True):
        assert wanted.any()
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("seconds", [1.0, 1.5, 2.5, 3.0, 4.0])
@pytest.mark.parametrize(("step", "shares"), [(61, 7), (4999, None)])
def test_windows_that_follow_each_other_begin_their_own_frames(program, seconds, step, shares):
    """Whether they are a whole number of hops (4 s) or not."""
    listening, _ = built = program("device_4k", seconds, 0.5, overlapping=False, shares=shares)
    pcm = noise(4 * listening.samples + 300)
    for scores, heard in zip(decisions(built, pcm, step=step), (pcm, ~pcm), strict=True):
        wanted = reference(listening, heard, listening.samples)
        assert scores.shape == wanted.shape == (4, listening.frames, 64)
        assert np.abs(scores - wanted).max() <= 1
        assert np.count_nonzero(scores - wanted) <= 2


def swelling(samples):
    """Noise that grows louder all the time, so that a mean of before is another one."""
    rising = np.geomspace(1, 8000, samples) * np.random.default_rng(3).normal(size=samples)
    return np.clip(np.rint(rising), -32768, 32767).astype(np.int16)


@pytest.mark.parametrize(("name", "hop_seconds"), [("device_4k_16ms", 0.12), ("device_4k_16ms", 0.31)])
@pytest.mark.parametrize(("step", "shares"), [(61, None), (4999, 7)])
def test_a_window_has_the_recordings_mean_of_its_moment(program, name, hop_seconds, step, shares):
    """Of windows that overlap, and of those with a gap, whose sound counts as well."""
    listening, _ = built = program(name, 0.25, hop_seconds, shares=shares, normalisation="recording")
    pcm = swelling(5 * 4000 + 17)
    for scores, heard in zip(decisions(built, pcm, step=step), (pcm, ~pcm), strict=True):
        recording = HeardRecording(listening.logmel, heard)
        starts = range(0, len(pcm) - listening.samples + 1, listening.hop_samples)
        wanted = codes_of(
            listening.logmel,
            Quantization(SCALE, ZERO_POINT),
            np.stack([recording.of_stream(start, listening.frames) for start in starts]),
        )
        np.testing.assert_array_equal(scores, wanted)


@pytest.mark.parametrize("seconds", [0.256, 0.25, 0.301])
def test_windows_that_follow_each_other_have_one_mean(program, seconds):
    """Of a whole number of hops, whose frames go on, or not."""
    listening, _ = built = program(
        "device_4k_16ms", seconds, 0.128, overlapping=False, shares=7, normalisation="recording"
    )
    pcm = swelling(9 * listening.samples + 100)
    for scores, heard in zip(decisions(built, pcm, step=61), (pcm, ~pcm), strict=True):
        windows = heard[: 9 * listening.samples].reshape(9, -1)
        wanted = front_end(listening, Quantization(SCALE, ZERO_POINT), windows)
        alone = np.stack([front_end(listening, Quantization(SCALE, ZERO_POINT), window) for window in windows])
        np.testing.assert_array_equal(scores, wanted)
        assert np.count_nonzero(scores != alone) > wanted.size / 2


@pytest.mark.parametrize("seconds", [0.5, 0.512])
def test_one_window_after_the_other_on_a_core(program, seconds):
    listening, _ = built = program("device_4k", seconds, 0.128, overlapping=False, target="cortex-m4")
    pcm = noise(3 * listening.samples + 5)
    found, _ = decisions(built, pcm, step=300)
    wanted = reference(listening, pcm, listening.samples)
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).max() <= 1


@pytest.mark.parametrize(
    ("name", "normalisation"), [("device_4k", "corpus"), ("m2d", "corpus"), ("device_4k_16ms", "recording")]
)
@pytest.mark.parametrize("overlapping", [True, False])
@pytest.mark.parametrize("shares", [None, 7])
def test_a_context_of_zeros_is_as_good_as_a_fresh_one(program, name, normalisation, overlapping, shares):
    built = program(name, 0.31, 0.1, overlapping=overlapping, shares=shares, normalisation=normalisation)
    pcm = noise(SPECS[name].sample_rate)
    fresh, zeros = (decisions(built, pcm, step=61, forgotten=forgotten) for forgotten in (False, True))
    for wanted, found in zip(fresh, zeros, strict=True):
        assert wanted.any()
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"AUSCULT_SAMPLES": 1500}, "the network's rows are not the frames of a window"),
        ({"AUSCULT_HOP": 500}, "windows that overlap share frames only where they begin with one"),
    ],
)
def test_a_window_that_would_never_be_decided_does_not_compile(installed, tmp_path, changed, sentence):
    listening = Listening.with_whole_hop(SPECS["device_4k"].with_statistics(-7.0, 4.0), 0.5, 0.2)
    write_frontend(tmp_path, listening.logmel, SCALE, ZERO_POINT)
    (source,) = write_listener(tmp_path, listening, [0], overlapping=True)
    write_keep_rows(tmp_path, listening.frames)
    config = tmp_path / "auscult_config.h"
    for name, value in changed.items():
        config.write_text(re.sub(rf"{name} \d+", f"{name} {value}", config.read_text()))
    command = [f"{installed('host').compiler}gcc", "-c", source, "-o", "/dev/null"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert sentence in done.stderr


def test_windows_that_overlap_are_counted():
    listening = Listening.with_whole_hop(SPECS["device_4k"], 8.0, 4.0)
    assert open_windows(replace(listening, hop_seconds=8.0)) == 1
    assert open_windows(listening) == 2
    assert open_windows(Listening.with_whole_hop(SPECS["device_4k"], 8.0, 3.0)) == 3


@pytest.mark.parametrize(
    ("labels", "constants"),
    [
        (("crackle", "wheeze"), ["CRACKLE", "WHEEZE"]),
        (("fine crackle", "wheeze/rhonchus (low)"), ["FINE_CRACKLE", "WHEEZE_RHONCHUS_LOW"]),
        (("S3", "3rd sound", "-x-"), ["S3", "3RD_SOUND", "X"]),
        (("a b", "a-b", "A_B", "a b 2"), ["A_B", "A_B_2", "A_B_3", "A_B_2_2"]),
        (("---", "...", "0"), ["0", "0_2", "0_3"]),
    ],
)
def test_labels_have_names_in_c(labels, constants):
    assert label_constants(labels) == [f"AUSCULT_LABEL_{name}" for name in constants]


@given(st.lists(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=40), unique=True))
def test_names_in_c_are_names_and_each_another(labels):
    names = label_constants(labels)
    assert len(set(names)) == len(labels)
    assert all(re.fullmatch(r"AUSCULT_LABEL_[A-Z0-9]+(_[A-Z0-9]+)*", name) for name in names)
    assert label_constants(labels) == names


@pytest.mark.parametrize(("compiler", "flags"), [("gcc", ["-std=c99"]), ("g++", ["-x", "c++", "-std=c++11"])])
def test_c_and_cpp_know_every_label_by_its_name(tmp_path, compiler, flags):
    if not shutil.which(compiler):
        pytest.skip(f"needs {compiler}")
    labels = ("fine crackle", "3rd sound", "hop", "windows", "a b", "a-b", "wheeze // low", "%d")
    listening = Listening.with_whole_hop(SPECS["device_4k"], 2.0, 1.0, labels)
    write_listener(tmp_path, listening, range(len(labels)), overlapping=True)
    tests = "\n".join(
        f"typedef char place_{place}[({name} == {place}) ? 1 : -1];"
        for place, name in enumerate(label_constants(labels))
    )
    texts = " && ".join(f'strcmp(texts[{place}], "{label}") == 0' for place, label in enumerate(labels))
    (tmp_path / "main.c").write_text(
        f'#include <string.h>\n#include "auscult_config.h"\n{tests}\n'
        f"int main(void) {{ const char *texts[] = AUSCULT_LABELS; return ({texts}) ? 0 : 1; }}\n"
    )
    warnings = ["-Wall", "-Wextra", "-Wpedantic", "-Wno-unused-local-typedefs", "-Werror"]
    command = [compiler, *flags, *warnings, "main.c", "-o", "main"]
    built = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    assert subprocess.run([tmp_path / "main"], check=False).returncode == 0
