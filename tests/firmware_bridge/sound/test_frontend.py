from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from host import SANITIZERS
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.device.qemu import build, run
from firmware_bridge.device.targets import targets
from firmware_bridge.sound.frontend import frontend_bytes, frontend_table_bytes, frontend_tables, write_frontend
from lungsound.errors import InputError
from lungsound.logmel import SPECS, log_mel, normalise

MAIN = Path(__file__).parents[1] / "support" / "frontend_rows.c"
SCALE, ZERO_POINT = 0.02, 3
STATISTICS = {"ln": (-7.0, 4.0), "db": (-30.0, 17.0)}


def specification(name):
    spec = SPECS[name]
    return spec.with_statistics(*STATISTICS[spec.log])


def program(folder, spec, target, flags=()):
    sources = write_frontend(folder, spec, SCALE, ZERO_POINT)
    return build([*sources, MAIN], target, folder / target.name, include=[folder], flags=flags)


def rows(built, spec, pcm, step=997):
    inputs = {"pcm.bin": pcm.tobytes(), "step.bin": np.uint32(step).tobytes()}
    done = run(built, inputs=inputs, outputs=["rows.bin"])
    assert done.status == 0, done.text
    return np.frombuffer(done.files["rows.bin"], np.int8).reshape(-1, spec.n_mels), done


def reference(spec, pcm):
    codes = np.rint(normalise(spec, log_mel(spec, pcm / 32768.0)) / SCALE) + ZERO_POINT
    return np.clip(codes, -128, 127).astype(np.int16)


def tone(rate, hertz, amplitude, seconds=2):
    return np.round(amplitude * np.sin(2 * np.pi * hertz * np.arange(seconds * rate) / rate)).astype(np.int16)


def noise(rate, deviation, seconds=2):
    return rounded(np.random.default_rng(0).normal(0, deviation, seconds * rate))


def rounded(values):
    return np.clip(np.round(values), -32768, 32767).astype(np.int16)


def loud_signals(rate):
    """Classes of signals whose frames span more than the quick transform's 31 bits, or nearly."""
    seconds = np.arange(2 * rate) / rate
    hertz = np.geomspace(45.0, 0.47 * rate, 12)
    sines = {f: np.sin(2 * np.pi * f * seconds) for f in hertz}
    up = rate / 2 / seconds[-1]
    dither = np.random.default_rng(1).integers(-1, 2, len(seconds))
    pulses = np.zeros(len(seconds))
    pulses[:: rate // 7] = -32768
    return {
        "tones": [rounded(32767 * sine) for sine in sines.values()],
        "dithered": [rounded(32766 * sine + dither) for sine in sines.values()],
        "clipped": [rounded(60000 * sine) for sine in sines.values()],
        "squares": [rounded(32767 * np.sign(sine)) for sine in sines.values()]
        + [rounded(32767 * np.sign(np.sin(2 * np.pi * (np.arange(2 * rate) + 0.5) / period))) for period in (4, 8, 32)],
        "chirps": [rounded(a * np.sin(np.pi * up * seconds**2)) for a in (32767, 3000, 100)],
        "onsets": [rounded(32767 * sine * (seconds > 0.987)) for sine in sines.values()],
        "bursts": [rounded(32767 * sine * (seconds * 3 % 1 < 0.5)) for sine in sines.values()],
        "periodic": [rounded(30000 * (np.arange(2 * rate) % period == 0)) for period in (5, 8, 20, 64, 160)],
        "pulses": [rounded(pulses), rounded(np.convolve(pulses, np.exp(-np.arange(300) / 40), "same"))],
        "ramps": [rounded(np.linspace(-32768, 32767, len(seconds))), rounded(65535 * (seconds * 11 % 1) - 32768)],
    }


def recordings(shared, rate):
    paths = sorted((shared / "data/icbhi2017_native").glob("*.wav")) + sorted(
        (shared / "data/sprsound").rglob("*.flac")
    )
    for path in paths[:20]:
        wave, native = soundfile.read(path)
        wave = soxr.resample(wave if wave.ndim == 1 else wave[:, 0], native, rate)[: 8 * rate]
        yield rounded(wave * 32768)


def count_differing(found, wanted):
    distance = np.abs(found - wanted)
    assert distance.max() <= 1
    return np.count_nonzero(distance)


def check_differences(spec, built, signals):
    """Assert that one code of 50,000 differs at most, by one."""
    differing = codes = 0
    for pcm in signals:
        wanted = reference(spec, pcm)
        differing += count_differing(rows(built, spec, pcm)[0], wanted)
        codes += wanted.size
    assert differing <= max(2, codes / 50_000)


ON_DEVICES = sorted(name for name, spec in SPECS.items() if not spec.preemphasis and spec.spectrum == "power")


@pytest.fixture(scope="module", params=ON_DEVICES)
def host(request, installed, tmp_path_factory):
    """A front end of each specification, built for this computer with sanitizers."""
    spec = specification(request.param)
    return spec, program(tmp_path_factory.mktemp("frontend"), spec, installed("host"), SANITIZERS)


def test_no_compiler_warns(host):
    assert host[1].warnings == ""


def test_noise_and_quiet_tones_differ_in_one_code_of_fifty_thousand_at_most(host):
    spec, built = host
    rate = spec.sample_rate
    signals = [noise(rate, deviation) for deviation in (1, 30, 1000, 10000, 30000)]
    check_differences(spec, built, signals + [tone(rate, hertz, 100) for hertz in (60.5, 440.3, 0.4 * rate)])


@pytest.mark.slow
def test_recordings_differ_in_one_code_of_fifty_thousand_at_most(host, shared):
    spec, built = host
    check_differences(spec, built, recordings(shared, spec.sample_rate))


@pytest.mark.parametrize("kind", list(loud_signals(4000)))
def test_loud_signals_differ_in_one_code_of_fifty_thousand_at_most(host, kind):
    # Bands a hundred decibels below a tone of full scale are where the quick transform's 31 bits end.
    spec, built = host
    check_differences(spec, built, loud_signals(spec.sample_rate)[kind])


@settings(max_examples=15)
@given(data=st.data())
def test_mixtures_differ_in_two_codes_at_most(host, data):
    spec, built = host
    amplitudes = st.floats(0, 15).map(lambda octaves: 2**octaves)
    seconds = np.arange(spec.sample_rate) / spec.sample_rate
    wave = data.draw(amplitudes) / 2 * np.random.default_rng(2).normal(0, 0.5, len(seconds))
    for _ in range(2):
        hertz = data.draw(st.floats(20, spec.sample_rate / 2))
        wave += data.draw(amplitudes) * np.sin(2 * np.pi * hertz * seconds)
    check_differences(spec, built, [rounded(wave)])


@pytest.mark.parametrize("value", [0, 1, -1, 32767, -32768])
def test_silence_and_clipping(host, value):
    spec, built = host
    pcm = np.full(spec.n_fft * 3 + 7, value, np.int16)
    np.testing.assert_array_equal(rows(built, spec, pcm)[0], reference(spec, pcm))


@pytest.mark.parametrize("at", [0, 1, 500, -1])
def test_a_single_click(host, at):
    spec, built = host
    pcm = np.zeros(max(600, spec.n_fft * 3), np.int16)
    pcm[at] = -32768
    assert np.abs(rows(built, spec, pcm)[0] - reference(spec, pcm)).max() <= 1


@settings(max_examples=15)
@given(data=st.data())
def test_any_number_of_samples_gives_the_references_frames(host, data):
    spec, built = host
    fewest = spec.n_fft // 2 + 1 if spec.padding == "reflect" else spec.n_fft
    pcm = noise(spec.sample_rate, 2000)[: data.draw(st.integers(fewest, fewest + 3 * spec.hop))]
    wanted = reference(spec, pcm)
    found, _ = rows(built, spec, pcm)
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).max() <= 1


def test_pieces_of_any_size_give_the_same_rows(installed, tmp_path):
    spec = specification("device_4k")
    pcm = noise(spec.sample_rate, 3000, 1)
    built = program(tmp_path, spec, installed("host"), SANITIZERS)
    whole, _ = rows(built, spec, pcm, len(pcm))
    for step in (1, 7, 128, len(pcm) - 1):
        np.testing.assert_array_equal(rows(built, spec, pcm, step)[0], whole)


@pytest.mark.parametrize("name", ["device_4k", "m2d"])
def test_every_core_gives_the_same_bytes(installed, tmp_path, name):
    spec = specification(name)
    quiet = noise(spec.sample_rate, 1, 1)[: spec.sample_rate // 4]
    pcm = np.concatenate([noise(spec.sample_rate, 500, 1), 0 * quiet, quiet, tone(spec.sample_rate, 440.3, 32767, 1)])
    wanted, _ = rows(program(tmp_path, spec, installed("host")), spec, pcm, 256)
    for target in targets():
        found, done = rows(program(tmp_path, spec, installed(target.name)), spec, pcm, 256)
        np.testing.assert_array_equal(found, wanted, err_msg=target.name)
        if target.machine is not None:
            # Both paths were taken, as the exact one is the slower.
            assert done.values["worst"] > 3 * done.values["best"]


# Millions of instructions for 8 s, thousands for a frame whose bands are all repeated, and bytes of code beside the
# tables: measured, and a little air for other compilers.
@pytest.mark.parametrize(
    ("name", "target", "ceiling", "exact_frame", "code"),
    [
        ("m2d", "cortex-m4", 22.4, 352, 5600),
        ("m2d", "cortex-m3", 24.9, 370, 6000),
        ("device_4k", "cortex-m4", 3.99, 215, 4480),
        ("device_4k", "cortex-m3", 4.5, 220, 4800),
        ("device_4k", "cortex-m55", 2.85, 215, 6050),
        ("device_4k_32ms", "cortex-m4", 3.8, 101, 4120),
        ("device_4k_16ms", "cortex-m4", 3.5, 47, 4120),
        ("device_8k_32ms", "cortex-m4", 7.5, 210, 4480),
        ("device_8k_16ms", "cortex-m4", 7.6, 101, 4120),
        ("device_8k_16ms", "cortex-m55", 5.7, 101, 5500),
    ],
)
def test_eight_seconds_take_no_more_instructions_than_promised(
    installed, tmp_path, name, target, ceiling, exact_frame, code
):
    spec, core = specification(name), installed(target)
    built = program(tmp_path, spec, core)
    pcm = noise(spec.sample_rate, 3000, 8)
    found, done = rows(built, spec, pcm, 1000)
    assert count_differing(found, reference(spec, pcm)) <= 2
    assert core.machine.instructions(done.values["ticks"]) <= ceiling * 1e6
    _, done = rows(built, spec, tone(spec.sample_rate, 1000.9, 32767), 1000)
    assert core.machine.instructions(done.values["worst"]) <= exact_frame * 1e3
    assert done.values["context"] == frontend_bytes(spec) <= 2560
    sources = ("frontend.c", "frontend_fft.c", "frontend_mel.c", "frontend_exact.c")
    assert sum(built.objects[name].flash for name in sources) <= code


@pytest.mark.parametrize("name", ON_DEVICES)
def test_footprint_is_what_a_32_bit_core_takes(installed, tmp_path, name):
    spec = specification(name)
    built = program(tmp_path, spec, installed("cortex-m4"))
    pcm = noise(spec.sample_rate, 3000)[: 2 * spec.n_fft]
    found, done = rows(built, spec, pcm)
    assert count_differing(found, reference(spec, pcm)) == 0
    assert done.values["context"] == frontend_bytes(spec)
    assert built.objects["frontend_tables.c"].flash == pytest.approx(
        frontend_table_bytes(spec, SCALE, ZERO_POINT), abs=16
    )


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"n_fft": 1000, "window": 1000, "hop": 1001}, "hop of 1001"),
        ({"n_fft": 402}, "n_fft = 402"),
        ({"n_fft": 8192}, "n_fft = 8192"),
        ({"std": 1e-6}, "cannot be right"),
        ({"floor": 1e20}, "floor of 1e\\+20"),
        ({"preemphasis": 0.97}, "no device does pre-emphasis; train on another log-mel"),
        ({"spectrum": "magnitude"}, "no device takes magnitudes; train on another log-mel"),
    ],
)
def test_a_specification_beyond_the_integers_is_refused(change, complaint):
    with pytest.raises(InputError, match=complaint):
        frontend_tables(replace(SPECS["m2d"], **change), SCALE, ZERO_POINT)


@pytest.mark.parametrize(
    ("scale", "zero_point"), [(0.0, 0), (-1.0, 0), (float("nan"), 0), (float("inf"), 0), (0.02, 300)]
)
def test_a_quantization_that_cannot_be_is_refused(scale, zero_point):
    with pytest.raises(InputError, match="zero point"):
        frontend_tables(SPECS["m2d"], scale, zero_point)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("device_4k", {"n_fft": 8, "window": 8, "hop": 4, "n_mels": 3}),
        ("device_4k", {"n_fft": 16, "window": 10, "hop": 5, "n_mels": 3}),
        ("device_4k", {"n_fft": 40, "window": 33, "hop": 10, "n_mels": 5}),
        ("m2d", {"n_fft": 4000, "window": 3001, "hop": 1000, "n_mels": 128}),
        ("panns_32k", {"n_fft": 4096, "window": 4096, "hop": 1024, "n_mels": 200}),
        ("m2d", {"floor": 1e-20}),
        ("multibreath", {"floor": 10.0}),
    ],
)
def test_unusual_specifications(installed, tmp_path, name, change):
    spec = replace(specification(name), **change)
    built = program(tmp_path, spec, installed("host"), flags=SANITIZERS)
    signals = [noise(spec.sample_rate, 1000, 1), noise(spec.sample_rate, 1, 1)]
    signals += [tone(spec.sample_rate, hertz, 32767, 1) for hertz in (100.3, 440.3, 1000.9)]
    check_differences(spec, built, signals)
