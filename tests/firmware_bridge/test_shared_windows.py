"""Overlapping windows that share a trunk, sound to decision; and windows that cannot, which say why."""

import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cnn6_tflite import cnn6
from counted import assert_estimated
from exported_student import exported_student
from host import SANITIZERS
from streaming_models import streaming
from tiny_bundle import sound

from export.bundle.golden import golden_pcm
from firmware_bridge.bench_target import BENCH_STREAM, bench_target, print_bench
from firmware_bridge.device.qemu import build, run
from firmware_bridge.folder.golden import litert_outputs
from firmware_bridge.folder.writing import write_sources
from firmware_bridge.plan.footprint import Footprint
from firmware_bridge.plan.model import Model
from lungsound.files.plain_json import dumps
from lungsound.front_end import normalised_logmel
from lungsound.listening import Listening
from lungsound.logmel import SPECS

LISTENERS = Path(__file__).parent / "support" / "listener_windows.c"
ANSWERS = Path(__file__).parent / "support" / "listener_answers.c"
SECONDS, ROW = 3.0, 0.256
"""Of the student's window, and of one row of its trunk: eight frames of 32 ms."""
ROWS = 7
"""Of its trunk in a window."""


@pytest.fixture(scope="module")
def student(tmp_path_factory):
    """A function from a hop in rows to the words that name a student without padding in time, and what it hears."""
    folder = tmp_path_factory.mktemp("stream")
    content, _ = exported_student(1 / 8, 2, SECONDS, trunk="stream", depth=4)
    (folder / "net.tflite").write_bytes(content)
    listening = Listening.with_whole_hop(SPECS["device_4k"], SECONDS, 1.0)
    logmel = normalised_logmel(listening, sound(listening, range(2)).pcm)
    spec = listening.logmel.with_statistics(logmel.mean(), logmel.std())

    def named(rows):
        hears = Listening.with_whole_hop(spec, SECONDS, rows * ROW)
        file = folder / f"hears_{rows}.json"
        file.write_text(dumps({"listening": hears.to_dict(), "thresholds": [0.0, 0.0]}))
        return folder / "net.tflite", file

    return named


def of_elsewhere(folder, content, logmel, seconds, hop_seconds):
    """A file and what it listens to."""
    listening = Listening.with_whole_hop(SPECS[logmel].with_statistics(-7.0, 4.0), seconds, hop_seconds)
    (folder / "net.tflite").write_bytes(content)
    (folder / "hears.json").write_text(dumps({"listening": listening.to_dict(), "thresholds": [0.0, 0.0]}))
    return folder / "net.tflite", folder / "hears.json"


def test_ram_is_that_of_one_trunk_whatever_the_overlap(auscult, student):
    rams = []
    for rows in (1, 2, ROWS):
        file, hears = student(rows)
        words = [file, "--listening", hears, "--target", "cortex-m4", "--json"]
        one, more = (json.loads(auscult("plan", *words, *how)[1]) for how in ([], ["--overlapping"]))
        assert more["sharing"] == one["sharing"]
        assert (more["sharing"]["possible"], more["sharing"]["why_not"]) == (True, None)
        assert more["sharing"]["ram_bytes"] == more["ram"]["networks"] + more["ram"]["front_end"]
        assert more["ram"]["networks"] == more["network"]["context_bytes"]
        assert more["network"]["shared"]["rows"] == ROWS
        assert more["network"]["shared"]["hop_rows"] == rows
        assert more["windows"] == -(-int(SECONDS / ROW + 1) // rows)
        rams.append(more["ram_bytes"])
    assert rams[0] == rams[1] == rams[2] < one["ram_bytes"] + 400


def test_a_trunk_for_every_window_costs_what_sharing_would_save(auscult, student):
    file, hears = student(1)
    said = auscult("plan", file, "--listening", hears, "--target", "cortex-m4", "--overlapping")[1]
    assert "12 windows open at once, which share a trunk" in said
    found = re.search(
        r"share a trunk and take (\d+) bytes and ([\d.]+) M MAC a second of sound; "
        r"with a trunk each they would take (\d+) bytes and ([\d.]+) M MAC",
        said,
    )
    assert found
    ram, macs, apart_ram, apart_macs = map(float, found.groups())
    assert apart_ram > 8 * ram
    assert apart_macs > 5 * macs


@pytest.fixture
def padded(tmp_path):
    """The words that name a student that pads time."""
    content = cnn6(np.random.default_rng(1), 61, mels=64, width=4, heads=2)
    return of_elsewhere(tmp_path, content, "device_4k", 2.0, 1.0)


def test_a_student_that_pads_time_keeps_a_trunk_for_each_window_and_the_plan_says_why(auscult, padded):
    words = padded[0], "--listening", padded[1], "--target", "cortex-m4"
    plan = json.loads(auscult("plan", *words, "--overlapping", "--json")[1])
    sharing = plan["sharing"]
    assert sharing["possible"] is False
    assert re.fullmatch(r"CONV_2D that makes '.*' pads time", sharing["why_not"])
    assert plan["network"]["shared"] is None
    assert sharing["apart_ram_bytes"] == plan["ram"]["networks"] + plan["ram"]["front_end"]
    assert sharing["apart_ram_bytes"] - sharing["ram_bytes"] >= 2 * plan["network"]["context_bytes"]
    assert sharing["apart_macs_per_second"] == pytest.approx(plan["network"]["macs"] / 0.992, rel=0.01)
    assert sharing["macs_per_second"] == pytest.approx(plan["network"]["macs"] / 2, rel=0.01)
    said = auscult("plan", *words)[1]
    assert f"windows that overlap cannot share a trunk: {sharing['why_not']}; with a trunk each they take" in said


def test_centred_frames_share_nothing(auscult, tmp_path):
    file, hears = of_elsewhere(tmp_path, streaming(0, "mean", 3, 51, 80).content, "m2d", 0.5, 0.25)
    plan = json.loads(auscult("plan", file, "--listening", hears, "--target", "cortex-m4", "--json")[1])
    assert plan["sharing"]["why_not"].startswith("its log-mel centres frames")


def test_windows_that_do_not_overlap_say_nothing_of_sharing(auscult, tmp_path):
    content = cnn6(np.random.default_rng(1), 30, mels=64, width=4, heads=2)
    file, hears = of_elsewhere(tmp_path, content, "device_4k", 1.0, 2.0)
    assert json.loads(auscult("plan", file, "--listening", hears, "--target", "host", "--json")[1])["sharing"] is None


@pytest.mark.parametrize(("rows", "push_limit"), [(1, 0), (ROWS, 3000)])
def test_every_window_of_a_sound_is_decided_as_if_cut_out(installed, student, capsys, rows, push_limit):
    installed("host")
    file, hears = student(rows)
    found = bench_target(file, "host", listening=hears, overlapping=True, push_limit=push_limit)
    assert found["windows"] == (5 * 12000 - 12000) // (rows * 1024) + 1
    assert (found["differing_bytes"], found["output_bytes"]) == (0, 2 * found["windows"])
    assert found["differing_codes"] <= 1
    assert found["network_bytes"] + found["front_end_bytes"] == found["listener_bytes"]["overlapping"]
    print_bench(found)
    assert f"{found['windows']} windows that overlap" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("centred", [False, True])
def test_windows_with_a_trunk_each_are_decided_as_if_cut_out(installed, tmp_path, padded, centred):
    installed("host")
    file, hears = padded
    if centred:
        file, hears = of_elsewhere(tmp_path, streaming(0, "mean", 3, 51, 80).content, "m2d", 0.5, 0.2)
    found = bench_target(file, "host", listening=hears, overlapping=True)
    assert found["windows"] == (11 if centred else 9)
    assert found["differing_bytes"] == 0
    assert found["network_bytes"] + found["front_end_bytes"] == found["listener_bytes"]["overlapping"]


@pytest.mark.slow
@pytest.mark.parametrize(("target", "rows"), [("cortex-m4", 1), ("cortex-m4", ROWS), ("cortex-m55", 1)])
def test_a_core_decides_every_window_as_if_cut_out(installed, student, target, rows):
    installed(target)
    file, hears = student(rows)
    found = bench_target(file, target, listening=hears, overlapping=True)
    assert (found["differing_bytes"], found["output_bytes"]) == (0, 2 * found["windows"])
    model = Model.open(file, hears)
    plan = Footprint(model, model.plan(found["kernels"], "double"), overlapping=True)
    assert found["ram_bytes"] <= sum(plan.ram.values()) <= found["ram_bytes"] + 1024
    assert found["flash_bytes"] <= sum(plan.flash.values())
    assert found["listener_bytes"]["overlapping"] == plan.ram["networks"] + plan.ram["front_end"]
    assert_estimated(found, hears)


@pytest.mark.slow
def test_after_an_hour_every_window_is_still_decided_as_if_cut_out(installed, student, tmp_path):
    """The sound repeats itself after a prime number of hops, so that few windows are the truth for all of them."""
    file, hears = student(1)
    model = Model.open(file, hears)
    listening = model.interface.listening
    period = 97 * listening.hop_samples
    sounds = [golden_pcm(listening, seed) for seed in range(-(-period // (8 * listening.samples)))]
    once = np.concatenate(sounds).reshape(-1)[:period]
    hour = np.resize(once, 3600 * listening.logmel.sample_rate)
    assert len(hour) // listening.logmel.hop > 1 << 16
    footprint = Footprint(model, model.plan("c99", "double"), overlapping=True)
    assert footprint.network.split is not None
    sources = [tmp_path / name for name in write_sources(tmp_path, footprint)]
    program = build([*sources, BENCH_STREAM], installed("host"), tmp_path / "build", include=[tmp_path])
    files = {"samples.bin": hour.tobytes()}
    done = run(program, inputs=files, outputs=["outputs.bin", "codes.bin"], timeout=600)
    outputs = np.frombuffer(done.files["outputs.bin"], np.int8).reshape(-1, 2)
    assert len(outputs) == (len(hour) - listening.samples) // listening.hop_samples + 1
    codes = np.frombuffer(done.files["codes.bin"], np.int8).reshape(-1, listening.logmel.n_mels)
    windows = np.lib.stride_tricks.sliding_window_view(codes, listening.frames, axis=0)[:: listening.hop_frames][:97]
    wanted = litert_outputs(model.content, "double", np.ascontiguousarray(windows.transpose(0, 2, 1)))
    assert len(np.unique(wanted, axis=0)) > 20
    np.testing.assert_array_equal(outputs, wanted[np.arange(len(outputs)) % 97])


def test_a_folder_of_windows_that_share_a_trunk_tests_itself(auscult, installed, student, tmp_path):
    installed("host")
    file, hears = student(1)
    folder = tmp_path / "firmware"
    words = ["--target", "host", "--overlapping", "--name", "heart", "-o", folder]
    code, _, complaint = auscult("firmware", file, "--listening", hears, *words)
    assert code == 0, complaint
    done = subprocess.run(["make", "-C", folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.findall(r"listener_differing_bytes (\d+)", done.stdout + done.stderr) == ["0"]
    readme = " ".join((folder / "README.md").read_text().split())
    assert "with 12 windows open at once, which share one network" in readme
    assert "windows share the trunk up to" in readme
    assert "once for each open window" not in readme


def test_a_network_of_other_windows_does_not_compile(installed, student, tmp_path):
    file, hears = student(1)
    model = Model.open(file, hears)
    write_sources(tmp_path, Footprint(model, model.plan("c99", "double"), overlapping=True))
    config = tmp_path / "auscult_config.h"
    config.write_text(config.read_text().replace("AUSCULT_HOP 1024u", "AUSCULT_HOP 1152u"))
    command = [f"{installed('host').compiler}gcc", "-c", tmp_path / "auscult.c", "-o", "/dev/null"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "the network's windows are not those of the sound" in done.stderr


@pytest.mark.parametrize("push_limit", [0, 3000])
def test_samples_may_come_one_by_one_to_two_listeners_at_once(installed, student, tmp_path, push_limit):
    """And to contexts of zeros that nobody initialized."""
    file, hears = student(2)
    model = Model.open(file, hears)
    footprint = Footprint(model, model.plan("c99", "double", push_limit), overlapping=True)
    listening = model.interface.listening
    sources = [tmp_path / name for name in write_sources(tmp_path, footprint)]
    program = build([*sources, LISTENERS], installed("host"), tmp_path / "build", include=[tmp_path], flags=SANITIZERS)
    assert program.warnings == ""
    pcm = golden_pcm(listening)[[5, 7]].reshape(-1)
    found = []
    for step, forgotten in ((1, 0), (5000, 0), (61, 1)):
        inputs = {"pcm.bin": pcm.tobytes(), "how.bin": np.asarray([step, forgotten], np.uint32).tobytes()}
        done = run(program, inputs=inputs, outputs=["scores.bin", "negative.bin"])
        assert done.status == 0, done.text
        found.append(done.files)
    assert found[0] == found[1] == found[2]
    for name, heard in (("scores.bin", pcm), ("negative.bin", ~pcm)):
        windows = np.lib.stride_tricks.sliding_window_view(heard, listening.samples)[:: listening.hop_samples]
        wanted = litert_outputs(model.content, "double", model.interface.codes(windows))
        scores = np.frombuffer(found[0][name], np.int8).reshape(-1, 2)
        assert scores.shape == wanted.shape
        # One of 50,000 codes may differ by 1.
        assert np.abs(scores.astype(int) - wanted).max() <= 1
        assert np.count_nonzero(scores != wanted) <= 2


def test_the_signal_of_windows_that_share_a_trunk_is_checked_as_python_does(student, installed, tmp_path):
    from lungsound.quality.abstention import Abstention
    from lungsound.quality.check import Reason, SignalCheck
    from lungsound.quality.conformal import Certainty

    abstention = Abstention(SignalCheck.shipped(), Certainty((-3, 0), (1, 0)), (0.1, 0.1), (0.1, 0.1), 0, 0, 0.0)
    model = Model.open(*student(2), overlapping=True)
    hears = replace(model.interface, abstention=abstention)
    model = replace(model, interface=hears)
    footprint = Footprint(model, model.plan("c99", "double", 0), overlapping=True)
    sources = [tmp_path / name for name in write_sources(tmp_path, footprint)]
    made = build([*sources, ANSWERS], installed("host"), tmp_path / "out", include=[tmp_path], flags=SANITIZERS)
    assert made.warnings == ""
    pcm = hears.sounds().ravel()
    done = run(made, inputs={"pcm.bin": pcm.tobytes(), "how.bin": np.uint32(1000).tobytes()}, outputs=["answers.bin"])
    told = np.frombuffer(done.files["answers.bin"], np.int8).reshape(-1, 2)
    windows = np.lib.stride_tricks.sliding_window_view(pcm, hears.listening.samples)[:: hears.listening.hop_samples]
    scores = np.stack([told[:, 1], np.full(len(told), 5, np.int8)], axis=1)
    due = abstention.reasons(windows, hears.listening.logmel.sample_rate, scores)
    assert told[:, 0].tolist() == due.tolist()
    assert {Reason.SILENT, Reason.CLIPPED} <= set(due.tolist())
    parts = footprint.ram
    assert footprint.sharing.ram_bytes == parts["networks"] + parts["front_end"] + parts["signal_check"]
