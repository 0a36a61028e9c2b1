"""The front end that knows the recording, in C: the same codes as in Python, on streams of any length and loudness."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from host import SANITIZERS
from hypothesis import given, settings
from hypothesis import strategies as st
from test_frontend import loud_signals, recordings, tone

from firmware_bridge.device.qemu import build, run
from firmware_bridge.sound.frontend import frontend_bytes, frontend_table_bytes, write_frontend
from lungsound.front_end import front_end
from lungsound.listening import Listening
from lungsound.logmel import SPECS
from lungsound.quantization import Quantization
from lungsound.recording_mean import frames_remembered

MAIN = Path(__file__).parents[1] / "support" / "frontend_rows.c"
INPUT = Quantization(0.043, 11)
NAMES = ["device_4k", "device_4k_16ms", "device_8k_32ms"]


def specification(name, **change):
    return replace(SPECS[name], normalisation="recording", **change).with_statistics(-0.3, 1.6)


def program(folder, spec, target, flags=()):
    sources = write_frontend(folder, spec, INPUT.scale, INPUT.zero_point)
    assert "frontend_mean.c" in [source.name for source in sources]
    built = build([*sources, MAIN], target, folder / target.name, include=[folder], flags=flags)
    assert built.warnings == ""
    return built


def rows(built, spec, pcm, step=997):
    done = run(built, inputs={"pcm.bin": pcm.tobytes(), "step.bin": np.uint32(step).tobytes()}, outputs=["rows.bin"])
    assert done.status == 0, done.text
    return np.frombuffer(done.files["rows.bin"], np.int8).reshape(-1, spec.n_mels), done


def reference(spec, pcm):
    """One long window: what a stream of it gives."""
    return front_end(Listening(spec, len(pcm) / spec.sample_rate, spec.hop / spec.sample_rate), INPUT, pcm)


@pytest.fixture(scope="module", params=NAMES)
def host(request, installed, tmp_path_factory):
    spec = specification(request.param)
    return spec, program(tmp_path_factory.mktemp("mean"), spec, installed("host"), SANITIZERS)


def check_rows(built, spec, pcm, step=997):
    wanted = reference(spec, pcm)
    found, done = rows(built, spec, pcm, step)
    np.testing.assert_array_equal(found, wanted)
    return wanted, done


def loudness(rate, seconds, seed):
    """Noise whose loudness jumps every quarter of a second, from a bit to full scale, with silence in between."""
    rng = np.random.default_rng(seed)
    deviations = rng.choice([0.0, 0.4, 3.0, 100.0, 2000.0, 30000.0], 4 * seconds).repeat(rate // 4)
    return np.clip(np.rint(rng.normal(size=len(deviations)) * deviations), -32768, 32767).astype(np.int16)


def test_a_stream_of_a_minute_gives_the_same_codes(host):
    """Beyond the frames that are remembered, so that older ones fade."""
    spec, built = host
    pcm = loudness(spec.sample_rate, 60, 0)
    wanted, _ = check_rows(built, spec, pcm)
    assert len(wanted) > 3 * frames_remembered(spec)
    assert len(np.unique(wanted)) > 150


@pytest.mark.parametrize("kind", list(loud_signals(4000)))
def test_loud_signals_give_the_same_codes(host, kind):
    spec, built = host
    check_rows(built, spec, np.concatenate(loud_signals(spec.sample_rate)[kind]))


@settings(max_examples=10)
@given(st.lists(st.tuples(st.sampled_from([0, 1, 30, 1000, 32767]), st.integers(1, 4000)), min_size=1, max_size=4))
def test_silence_and_extremes_give_the_same_codes(host, parts):
    spec, built = host
    rng = np.random.default_rng(len(parts))
    pcm = np.concatenate([rng.choice([-level, level, 0], count) for level, count in parts]).astype(np.int16)
    pcm = np.concatenate([pcm, np.zeros(spec.n_fft, np.int16)])
    check_rows(built, spec, pcm)


@pytest.mark.parametrize("value", [0, 1, -32768])
def test_what_never_changes_is_its_own_mean(host, value):
    spec, built = host
    wanted = reference(spec, np.full(2000, value, np.int16))
    assert (wanted == wanted[0, 0]).all()
    np.testing.assert_array_equal(rows(built, spec, np.full(2000, value, np.int16))[0], wanted)


@pytest.mark.slow
def test_recordings_give_the_same_codes(host, shared):
    spec, built = host
    """Of several corpora, one after the other, with jumps of loudness where they meet."""
    check_rows(built, spec, np.concatenate(list(recordings(shared, spec.sample_rate))))


@pytest.mark.parametrize(
    ("core", "name", "seconds"),
    [
        ("cortex-m4", "device_4k_16ms", 18),  # beyond what is remembered
        ("cortex-m4", "device_4k", 3),
        ("cortex-m55", "device_4k_32ms", 5),
        ("cortex-m3", "device_4k_32ms", 5),
        ("cortex-m0", "device_4k_32ms", 2),
    ],
)
def test_a_core_gives_the_same_codes_in_the_memory_that_is_planned(installed, tmp_path, core, name, seconds):
    spec = specification(name)
    built = program(tmp_path, spec, installed(core))
    _, done = check_rows(built, spec, loudness(spec.sample_rate, seconds, 1), 300)
    assert done.values["context"] == frontend_bytes(spec)
    tables = frontend_table_bytes(spec, INPUT.scale, INPUT.zero_point)
    assert built.objects["frontend_tables.c"].flash == pytest.approx(tables, abs=16)
    assert built.objects["frontend_mean.c"].flash <= 260 or core == "cortex-m0"


@pytest.mark.parametrize("core", ["cortex-m4", "cortex-m55"])
def test_a_frame_costs_the_same_whatever_it_holds(installed, tmp_path, core):
    """Of a loud tone, whose weak bands the corpus' normalisation would compute twice."""
    spec = specification("device_4k_32ms")
    built = program(tmp_path, spec, installed(core))
    _, done = check_rows(built, spec, tone(spec.sample_rate, 1000.9, 32767, 1), 64)
    assert done.values["worst"] <= 1.1 * done.values["best"]


@pytest.mark.parametrize(
    "change",
    [
        {"log": "db", "floor": 1e-9},
        {"hop": 1000, "n_fft": 1024, "window": 1000},  # of the one frame in a quarter of a second 64 are remembered
        {"hop": 100, "n_fft": 200, "window": 200, "n_mels": 7},
    ],
)
def test_unusual_specifications(installed, tmp_path, change):
    spec = specification("device_4k", **change)
    built = program(tmp_path, spec, installed("host"))
    check_rows(built, spec, loudness(spec.sample_rate, 30, 2))
