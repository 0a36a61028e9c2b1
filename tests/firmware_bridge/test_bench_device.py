"""The board's script, run as a board would: a file of its own, next to a bundle."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_bundle import sound, tiny_bundle, trained

from auscult import bench
from export.bundle.golden import Golden, golden_pcm
from export.bundle.manifest import GOLDEN_FILE, MANIFEST_FILE, TFLITE_FILE
from export.bundle.opening import Bundle, Int8Format
from export.gate import Validation
from export.making import Origin, write_bundle
from firmware_bridge import bench_device
from lungsound.front_end import front_end, normalised_logmel
from lungsound.listening import Listening
from lungsound.logmel import SPECS, mel_power
from lungsound.quantization import Quantization

SCRIPT = Path(bench_device.__file__)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return tiny_bundle(tmp_path_factory)


@pytest.fixture
def board(bundle, tmp_path):
    """A folder with the script and a copy of the bundle, and nothing of this project on the path."""
    shutil.copy(SCRIPT, tmp_path)
    shutil.copytree(bundle.path, tmp_path / "bundle")
    return tmp_path


def run(board: Path, *words: object, path: str = "") -> subprocess.CompletedProcess[str]:
    """Run the script where `auscult` and its folders cannot be imported."""
    command = [sys.executable, "-P", SCRIPT.name, "bundle", *map(str, words)]
    environment = os.environ | {"PYTHONPATH": path}
    return subprocess.run(command, cwd=board, env=environment, capture_output=True, text=True)


def forge(board: Path, bundle: Bundle, **contents: bytes) -> None:
    """Replace files of the board's bundle and make the hashes right again."""
    made = bundle.contents | contents
    for name, content in contents.items():
        (board / "bundle" / name).write_bytes(content)
    (board / "bundle" / MANIFEST_FILE).write_text(bundle.manifest.with_files(made).to_json())


UNUSUAL = [
    replace(SPECS["device_4k_16ms"], normalisation="recording"),
    SPECS["efficientat_8k"],
    *(replace(SPECS["m2d"], **change) for change in ({"mel_scale": "kaldi"}, {"hann": "symmetric"}, {"speed": 2})),
    replace(SPECS["m2d"], spectrum="magnitude"),
]


@pytest.mark.parametrize("spec", UNUSUAL)
def test_a_log_mel_that_it_lacks_needs_a_folder_beside_it(spec, monkeypatch):
    listening = Listening.with_whole_hop(spec.with_statistics(0.1, 2.0), 1.0, 0.5)
    manifest = {"listening": listening.to_dict(), "input": {"scale": 0.043, "zero_point": -21}}
    assert bench_device.front_end_of(manifest).func is front_end
    monkeypatch.setitem(sys.modules, "lungsound.front_end", None)
    with pytest.raises(bench_device.Refused, match=r"needs the folder lungsound beside this file, and Python 3\.11"):
        bench_device.front_end_of(manifest)


@pytest.mark.parametrize("spec", [*(spec for spec in SPECS.values() if not spec.preemphasis), *UNUSUAL[:2]])
@pytest.mark.parametrize(("mean", "std"), [(-6.1, 3.3), (0.0, 1.0)])
def test_its_front_end_gives_the_same_codes(spec, mean, std):
    listening = Listening.with_whole_hop(spec.with_statistics(mean, std), 1.0, 0.5)
    quantization = Quantization(0.043, -21)
    pcm = golden_pcm(listening, 3)
    manifest = {"listening": listening.to_dict(), "input": {"scale": 0.043, "zero_point": -21}}
    theirs = bench_device.front_end_of(json.loads(json.dumps(manifest)))(pcm)
    np.testing.assert_array_equal(theirs, front_end(listening, quantization, pcm))


@pytest.mark.parametrize("name", [name for name, spec in SPECS.items() if spec.mel_scale != "kaldi"])
def test_it_does_the_sums_of_the_front_end_that_bench_times(name):
    """To the last bit before any rounding: no matrix product, whose threads would be timed as well."""
    listening = Listening.with_whole_hop(SPECS[name], 1.0, 0.5)
    pcm = golden_pcm(listening, 3)
    front_end = bench_device.FrontEnd({"listening": listening.to_dict(), "input": {"scale": 0.043, "zero_point": -21}})
    np.testing.assert_array_equal(front_end.mel_power(pcm), mel_power(listening.logmel, pcm / 32768.0))


def test_both_time_one_window_at_a_time(bundle, monkeypatch):
    heard = {"bench_device": [], "bench": []}

    class FrontEnd(bench_device.FrontEnd):
        def __call__(self, pcm):
            heard["bench_device"].append(pcm)
            return super().__call__(pcm)

    monkeypatch.setattr(bench_device, "FrontEnd", FrontEnd)
    monkeypatch.setattr(bench, "front_end", lambda *given: heard["bench"].append(given[-1]) or front_end(*given))
    bench_device.measure(bundle.path, 8, 1)
    subject = bench._subjects(bundle, 1, None)[0]["front_end"]
    bench.load_front_end(*subject.arguments)(subject.window)
    timed = heard["bench_device"][-8:]
    assert len(heard["bench"]) == 1
    np.testing.assert_array_equal(heard["bench"][0], timed[bench.WINDOW])
    assert {window.shape for window in timed} == {(bundle.manifest.listening.samples,)}


def test_it_checks_and_measures_a_bundle(board):
    told = run(board, "--runs", 7, "--json")
    assert told.returncode == 0, told.stderr
    report = json.loads(told.stdout)
    assert report["golden"]["windows"] == 8
    assert report["golden"]["differing_codes"] == report["golden"]["reference_differing_bytes"] == 0
    assert report["golden"]["differing_decisions"] == 0
    assert (report["runs"], report["threads"], report["runtime"]) == (7, 1, "ai_edge_litert")
    for name in ("front_end", "network"):
        assert 0 < report[name]["median_ms"] <= report[name]["p95_ms"] <= report[name]["max_ms"]
    assert report["init_ms"] > 0
    assert report["share_of_hop"] > 0
    assert report["peak_bytes"] > 10_000_000
    assert set(report["before"]) == set(report["after"]) == {"temperature_c", "frequency_mhz", "throttled"}


@pytest.mark.slow
def test_it_measures_what_knows_the_recording_with_a_folder_beside_it(board, tmp_path_factory):
    run_of, student, _ = trained()
    logmel = replace(run_of.listening.logmel, normalisation="recording")
    listening = replace(run_of.listening, logmel=logmel)
    features = normalised_logmel(listening, sound(listening, range(1)).pcm)
    listening = replace(listening, logmel=logmel.with_statistics(features.mean(), features.std()))
    features = normalised_logmel(listening, sound(listening, range(1)).pcm).astype(np.float32)
    origin = replace(Origin.of_run(run_of), listening=listening)
    validation = Validation(sound(listening, range(1, 2)).pcm, None)
    folder = tmp_path_factory.mktemp("knows") / "bundle"
    write_bundle(folder, origin, student, features, validation, [Int8Format.TFLITE])
    shutil.rmtree(board / "bundle")
    shutil.copytree(folder, board / "bundle")
    hidden = "import sys; sys.modules['lungsound'] = None\n"
    (board / "sitecustomize.py").write_text(hidden)
    refused(run(board, path=str(board)), "needs the folder lungsound beside this file")
    (board / "sitecustomize.py").unlink()
    shutil.copytree(SCRIPT.parents[1] / "lungsound", board / "lungsound")
    told = run(board, "--runs", 3, "--json", path=str(board))
    assert told.returncode == 0, told.stderr
    golden = json.loads(told.stdout)["golden"]
    assert golden["windows"] == 8
    assert golden["differing_codes"] == golden["reference_differing_bytes"] == golden["differing_decisions"] == 0


def test_its_docstring_names_every_key(board):
    report = json.loads(run(board, "--runs", 1, "--json").stdout)
    documented = set(re.findall(r"\w+", bench_device.__doc__))
    assert set(report) | set(report["golden"]) | set(report["network"]) | set(report["before"]) <= documented


def test_it_prints_lines_for_people(board):
    told = run(board, "--runs", 2)
    assert told.returncode == 0
    assert "front end: median ms" in told.stdout


def test_it_needs_numpy_and_a_runtime_alone():
    standard = sys.stdlib_module_names | {"numpy"}
    imported = set()
    for node in ast.walk(ast.parse(SCRIPT.read_text(), feature_version=(3, 9))):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            imported.add(node.module.partition(".")[0])
    assert imported <= standard
    assert SCRIPT.read_text().count("from __future__ import annotations") == 1


def test_the_older_runtime_will_do(board):
    """A stand-in of that name over the same interpreter, and the newer package made absent."""
    (board / "tflite_runtime").mkdir()
    (board / "tflite_runtime" / "__init__.py").touch()
    stand_in = "import sys; sys.modules.pop('ai_edge_litert')\n"
    stand_in += "from ai_edge_litert.interpreter import Interpreter, OpResolverType\n"
    stand_in += "sys.modules['ai_edge_litert'] = sys.modules['ai_edge_litert.interpreter'] = None\n"
    (board / "tflite_runtime" / "interpreter.py").write_text(stand_in)
    (board / "sitecustomize.py").write_text("import sys; sys.modules['ai_edge_litert'] = None\n")
    told = run(board, "--runs", 1, "--json", path=str(board))
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout)["runtime"] == "tflite_runtime"


def test_no_runtime_is_a_sentence(board):
    absent = "import sys; sys.modules['ai_edge_litert'] = sys.modules['tflite_runtime'] = None\n"
    (board / "sitecustomize.py").write_text(absent)
    refused(run(board, path=str(board)), "neither ai-edge-litert nor tflite-runtime is installed")


def refused(told: subprocess.CompletedProcess[str], said: str) -> None:
    assert told.returncode == 1
    assert told.stdout == ""
    (line,) = [line for line in told.stderr.splitlines() if not line.startswith("INFO")]
    assert line.startswith("error: ")
    assert said in line


@pytest.mark.parametrize("name", [TFLITE_FILE, GOLDEN_FILE, MANIFEST_FILE])
def test_a_changed_byte_and_a_missing_file_are_refused(board, name):
    file = board / "bundle" / name
    content = bytearray(file.read_bytes())
    content[len(content) // 3] ^= 4
    file.write_bytes(content)
    refused(run(board), "bundle")
    file.unlink()
    refused(run(board), name)


@pytest.mark.parametrize("text", ["", "[]", "3", '{"format": 2}', '{"format": 1}', "[" * 100_000, "\x00"])
def test_another_manifest_is_refused(board, text):
    (board / "bundle" / MANIFEST_FILE).write_text(text)
    refused(run(board), "bundle")


def test_a_cut_model_with_right_hashes_is_refused(board, bundle):
    forge(board, bundle, **{TFLITE_FILE: bundle.contents[TFLITE_FILE][:5000]})
    refused(run(board), "not a model that ai_edge_litert.interpreter runs")


def test_a_pickle_in_the_golden_vectors_is_never_opened(board, bundle, tmp_path):
    trap = np.array([Path("/tmp/trap")], dtype=object)
    np.savez(tmp_path / "trap.npz", pcm=trap)
    forge(board, bundle, **{GOLDEN_FILE: (tmp_path / "trap.npz").read_bytes()})
    refused(run(board), "not a bundle this script reads")


@pytest.mark.parametrize(
    ("array", "said"),
    [
        ("codes", "1 differing codes"),
        ("litert_reference", "1 reference differing bytes"),
        ("litert_xnnpack", "1 differing decisions"),
    ],
)
def test_golden_vectors_that_do_not_replay_are_refused(board, bundle, array, said):
    golden = bundle.golden
    changed = {"codes": golden.codes.copy()} | {name: values.copy() for name, values in golden.outputs.items()}
    if array == "litert_xnnpack":
        changed[array][0, 0] = 127 if changed[array][0, 0] < bundle.manifest.threshold_codes[0] else -128
    else:
        changed[array].flat[0] ^= 1
    made = Golden(golden.pcm, changed.pop("codes"), changed)
    forge(board, bundle, **{GOLDEN_FILE: made.to_bytes()})
    refused(run(board), said)


def test_a_bundle_without_tflite_is_refused(board, bundle):
    files = {name: facts for name, facts in bundle.manifest.files.items() if name != TFLITE_FILE}
    manifest = replace(bundle.manifest, files=files, output=None, threshold_codes=None)
    (board / "bundle" / MANIFEST_FILE).write_text(manifest.to_json())
    refused(run(board), "--int8 tflite")


@pytest.mark.parametrize("words", [("--runs", "0"), ("--threads", "-1"), ("--runs", "many"), ("--huh",)])
def test_wrong_usage_is_exit_code_2(board, words):
    assert run(board, *words).returncode == 2


def test_what_a_board_tells_of_itself(tmp_path, monkeypatch):
    """Sensors and clocks from a made-up /sys, throttling from a made-up vcgencmd."""
    sensor = tmp_path / "thermal_zone0" / "temp"
    sensor.parent.mkdir()
    sensor.write_text("48312\n")
    assert bench_device.thousandth(sensor) == 48.312
    sensor.write_text("n/a\n")
    assert bench_device.thousandth(sensor) is None
    assert bench_device.thousandth(tmp_path / "nowhere") is None
    command = tmp_path / "vcgencmd"
    command.write_text("#!/bin/sh\necho throttled=0x50005\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert bench_device.throttled() == "0x50005"
    command.write_text("#!/bin/sh\nexit 1\n")
    assert bench_device.throttled() is None
    command.unlink()
    assert bench_device.throttled() is None
