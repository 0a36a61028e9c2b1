"""When a device listens again: every window's reason in C is Python's."""

import functools
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from host import SANITIZERS
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from keep_rows import write_keep_rows

from firmware_bridge.device.qemu import build, run
from firmware_bridge.sound.frontend import frontend_bytes, write_frontend
from firmware_bridge.sound.listener import listener_bytes, open_windows, write_listener
from firmware_bridge.sound.quality import quality_bytes
from lungsound.audio import read_pcm
from lungsound.listening import Listening
from lungsound.logmel import SPECS
from lungsound.quality.abstention import Abstention
from lungsound.quality.check import Reason, SignalCheck
from lungsound.quality.conformal import Certainty

MAIN = Path(__file__).parents[1] / "support" / "listener_answers.c"
SCALE, ZERO_POINT = 0.02, -5
ABSTENTION = Abstention(SignalCheck.shipped(), Certainty((-20,), (10,)), (0.1,), (0.1,), 0, 0, 0.0)


@pytest.fixture(scope="module")
def program(installed, tmp_path_factory):
    @functools.cache
    def built(name, seconds, hop_seconds, *, overlapping=True, target="host"):
        folder = tmp_path_factory.mktemp("answers")
        listening = Listening.with_whole_hop(SPECS[name].with_statistics(-7.0, 4.0), seconds, hop_seconds)
        sources = write_frontend(folder, listening.logmel, SCALE, ZERO_POINT)
        sources += write_listener(folder, listening, [0], overlapping=overlapping, abstention=ABSTENTION)
        write_keep_rows(folder, listening.frames)
        flags = SANITIZERS if target == "host" else ()
        made = build([*sources, MAIN], installed(target), folder / target, include=[folder], flags=flags)
        assert made.warnings == ""
        return listening, made, listening.hop_samples if overlapping else listening.samples

    return built


def answers(program, pcm, step):
    inputs = {"pcm.bin": pcm.tobytes(), "how.bin": np.asarray([step], np.uint32).tobytes()}
    done = run(program[1], inputs=inputs, outputs=["answers.bin"])
    assert done.status == 0, done.text
    return np.frombuffer(done.files["answers.bin"], np.int8).reshape(-1, 2)


def agree(program, pcm, step):
    """Hold every window's answer against Python's; returns the reasons."""
    listening, _, hop = program
    told = answers(program, pcm, step)
    windows = np.lib.stride_tricks.sliding_window_view(pcm, listening.samples)[::hop]
    assert len(told) == len(windows)
    due = ABSTENTION.reasons(windows, listening.logmel.sample_rate, told[:, 1:])
    assert told[:, 0].tolist() == due.tolist()
    return due


def real(shared, rate):
    """A little of everything that a device may hear."""
    data = shared / "data"
    lungs = sorted((data / "sprsound/BioCAS2022/train2022_wav").glob("*.flac"))[::180]
    others = [data / f"{name}.flac" for name in ("noise/places_cafe", "speech/theo", "heart/a0001", "noise/alarm")]
    others += sorted((data / "esc10").glob("*/*.flac"))[::50]
    loud = np.clip(read_pcm(others[0], rate).astype(int) * 60, -32768, 32767).astype(np.int16)[: 6 * rate]
    return np.concatenate([*(read_pcm(path, rate)[: 9 * rate] for path in [*lungs, *others]), loud, loud * 0])


@pytest.mark.parametrize(
    ("name", "rate", "overlapping"),
    [
        ("device_4k", 4000, True),
        ("device_4k", 4000, False),
        pytest.param("panns_8k", 8000, True, marks=pytest.mark.slow),
    ],
)
def test_every_window_of_recordings_is_answered_as_python_does(program, shared, name, rate, overlapping):
    pcm = real(shared, rate)
    found = agree(program(name, 1.6, 0.5, overlapping=overlapping), pcm, 997)
    assert set(found.tolist()) >= {Reason.NONE, Reason.SILENT, Reason.VOICE, Reason.CONTACT}
    assert (Reason.UNCERTAIN in found) == (rate == 4000)  # at 8 kHz all of the tests' scores are the highest


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(-32768, 32767), min_size=1, max_size=80), st.integers(0, 12), st.integers(1, 4999))
@example([-32768], 0, 1)
@example([-32768, 32767], 0, 128)
@example([-32768] * 8 + [32767] * 8, 0, 61)
@example([0], 0, 128)
def test_any_samples_are_answered_as_python_does(program, pattern, shift, step):
    pcm = np.resize(np.asarray(pattern, np.int16) >> shift, 9000) + np.arange(9000, dtype=np.int16) % (1 + shift)
    agree(program("device_4k", 0.7, 0.3), pcm.astype(np.int16), step)


def test_a_cortex_m4_answers_as_python_does(program, shared):
    pcm = real(shared, 4000)
    pcm = np.concatenate([pcm[:16000], pcm[-60000:]])
    assert len(set(agree(program("device_4k", 1.6, 1.0, target="cortex-m4"), pcm, 640).tolist())) > 2


def test_what_a_listener_takes_is_told(installed, tmp_path):
    listening = Listening.with_whole_hop(SPECS["device_4k"], 4.0, 1.0)
    write_frontend(tmp_path, listening.logmel, SCALE, ZERO_POINT)
    write_listener(tmp_path, listening, [0], overlapping=True, abstention=ABSTENTION)
    net = "typedef struct { char bytes[1024]; } net_t;\n#define NET_ROWS 124\n#define NET_OUTPUT_VALUES 1\n"
    (tmp_path / "net.h").write_text(f"{net}#define NET_PUSH_COST 0xFFFFFFFFu\n")
    source = '#include "auscult.h"\nchar whole[sizeof(auscult_t)], window[sizeof(auscult_quality_t)];\n'
    (tmp_path / "size.c").write_text(source)
    target = installed("cortex-m4")
    compiled = tmp_path / "size.o"
    subprocess.run([f"{target.compiler}gcc", *target.flags, "-c", tmp_path / "size.c", "-o", compiled], check=True)
    symbols = subprocess.run(
        [f"{target.compiler}nm", "-S", compiled], check=True, capture_output=True, text=True
    ).stdout
    sizes = {name: int(size, 16) for size, name in re.findall(r"\w+ (\w+) \w (\w+)", symbols)}
    assert sizes["window"] == quality_bytes(4000)
    windows = open_windows(listening)
    assert sizes["whole"] == listener_bytes(listening, 1024, networks=windows, checked=windows)
    assert sizes["whole"] < windows * (1024 + 300) + frontend_bytes(listening.logmel)
