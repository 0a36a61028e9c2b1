"""`auscult firmware` and `targets` as a user meets them; the folders of the first one, made and run."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest
from cnn6_tflite import cnn6
from exported_student import exported_student
from make_folder import made
from tiny_bundle import tiny_bundle

from firmware_bridge import command
from firmware_bridge.command import bytes_of
from firmware_bridge.device.targets import targets
from firmware_bridge.plan import model
from lungsound.errors import InputError
from lungsound.files.plain_json import dumps
from lungsound.listening import Listening
from lungsound.logmel import SPECS


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return tiny_bundle(tmp_path_factory)


@pytest.mark.parametrize("words", [["--overlapping"], pytest.param(["--rounding", "single"], marks=pytest.mark.slow)])
def test_a_bundle_becomes_a_folder_that_tests_itself(auscult, installed, bundle, tmp_path, words):
    installed("cortex-m4")
    folder = tmp_path / "firmware"
    code, said, _ = auscult("firmware", bundle.path, "--target", "cortex-m4", "-o", folder, "--json", *words)
    answer = json.loads(said)
    assert code == 0
    assert (answer["folder"], answer["target"], answer["kernels"]) == (str(folder), "cortex-m4", "dsp8")
    assert answer["windows"] == (3 if words == ["--overlapping"] else 1)
    assert all((folder / name).is_file() for name in answer["sources"])
    told = made(folder)
    assert (told["differing_bytes"], told["listener_differing_bytes"]) == (0, 0)
    assert told["front_end_differing_codes"] <= 1
    counted = made(folder, "bench")
    assert counted["network_ticks"] > counted["worst_push_ticks"] > 0
    facts = json.loads((folder / "report.json").read_text())
    assert facts["application"] == {name: answer[name] for name in facts["application"]}
    assert str(answer["ram_bytes"]) in (folder / "report.txt").read_text()


@pytest.fixture(scope="module")
def student_of_the_readme(tmp_path_factory):
    """The words that name a student of the README's size: an eighth of the width, four heads, 4 s at 4 kHz."""
    folder = tmp_path_factory.mktemp("student")
    content, _ = exported_student(1 / 8, 4, 4.0)
    listening = Listening.with_whole_hop(SPECS["device_4k"].with_statistics(-8.0, 4.0), 4.0, 2.0)
    (folder / "net.tflite").write_bytes(content)
    (folder / "hears.json").write_text(dumps({"listening": listening.to_dict(), "thresholds": [0.0, 0.0]}))
    return folder / "net.tflite", "--listening", folder / "hears.json"


@pytest.mark.parametrize("words", [[], ["--push-macs", "165000"]])
def test_the_self_tests_fit_the_smallest_core(auscult, installed, student_of_the_readme, tmp_path, words):
    installed("cortex-m0")
    folder = tmp_path / "firmware"
    words = [*student_of_the_readme, "--target", "cortex-m0", "-o", folder, *words]
    code, said, _ = auscult("firmware", *words)
    assert (code, f"make -C {folder}" in said) == (0, True)
    told = made(folder)
    assert (told["differing_bytes"], told["listener_differing_bytes"]) == (0, 0)
    assert made(folder, "bench")["listener_differing_bytes"] == 0


def test_the_self_test_finds_a_listener_whose_second_window_is_shifted(auscult, installed, bundle, tmp_path):
    installed("host")
    folder = tmp_path / "firmware"
    auscult("firmware", bundle.path, "--target", "host", "-o", folder)
    assert made(folder)["listener_differing_bytes"] == 0
    right, source = "frontend_begin(&listener->frontends[0]);", folder / "auscult.c"
    assert source.read_text().count(right) == 1
    once = f"static bool begun; if (!begun) {{ {right} }} begun = true;"
    source.write_text(source.read_text().replace(right, once))
    done = subprocess.run(["make", "-s", "-C", str(folder)], capture_output=True, text=True)
    assert done.returncode != 0
    assert re.search(r"^listener_differing_bytes [1-9]", done.stderr, re.MULTILINE)


def test_self_tests_that_the_machine_cannot_hold_are_not_promised(auscult, installed, student_of_the_readme, tmp_path):
    installed("cortex-m0")
    folder = tmp_path / "firmware"
    words = [*student_of_the_readme, "--target", "cortex-m0", "-o", folder]
    code, said, _ = auscult("firmware", *words, "--overlapping")
    assert (code, f"make -C {folder}" in said) == (0, False)
    last = said[said.index("firmware: ") :]
    assert "do not fit microbit" in " ".join(last.split())
    assert "do not fit microbit" in (folder / "README.md").read_text()
    assert json.loads(auscult("firmware", *words, "--overlapping", "--json")[1])["self_tests_fit"] is False
    done = subprocess.run(["make", "-s", "-C", str(folder)], capture_output=True, text=True)
    assert "region `RAM' overflowed" in done.stderr


@pytest.mark.parametrize("target", ["host", "cortex-m0", "rv32", "aarch64"])
def test_a_bare_file_becomes_the_network_alone(auscult, installed, tflite, tmp_path, target):
    installed(target)
    code, said, _ = auscult("firmware", tflite, "--target", target, "-o", tmp_path / "firmware")
    assert code == 0
    assert "RAM" in said
    assert not (tmp_path / "firmware" / "frontend.c").exists()
    assert made(tmp_path / "firmware")["differing_bytes"] == 0


@pytest.mark.slow
def test_weights_beyond_the_flash_go_to_an_external_one(auscult, installed, tmp_path):
    installed("cortex-m55")
    path, folder = tmp_path / "wide.tflite", tmp_path / "firmware"
    path.write_bytes(cnn6(np.random.default_rng(0), 16, mels=16, width=24))
    assert auscult("firmware", path, "--target", "cortex-m55", "--kernels", "c99", "-o", folder)[0] == 0
    assert "external" in (folder / "README.md").read_text()
    assert made(folder)["differing_bytes"] == 0


def test_nothing_of_this_computer_is_written_into_the_folder(auscult, bundle, tmp_path):
    auscult("firmware", bundle.path, "--target", "cortex-m4", "-o", tmp_path / "firmware")
    files = [path for path in (tmp_path / "firmware").rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if str(bundle.path.parent).encode() in path.read_bytes()]


def test_the_targets_are_listed(auscult):
    rows = json.loads(auscult("targets", "--json")[1])["targets"]
    assert [row["name"] for row in rows] == [target.name for target in targets()]
    by_name = {row["name"]: row for row in rows}
    assert by_name["cortex-m4"]["kernels"] == ["c99", "dsp8", "dsp16"]
    assert by_name["cortex-m0"]["kernels"] == ["c99"]
    assert "gcc-arm-none-eabi" in by_name["cortex-m55"]["packages"]
    assert "cortex-m33" in auscult("targets")[1]


def test_missing_tools_are_named_with_their_packages(auscult, monkeypatch):
    monkeypatch.setenv("PATH", "")
    rows = json.loads(auscult("targets", "--json")[1])["targets"]
    assert not any(row["installed"] for row in rows)
    said = auscult("targets")[1]
    for row in rows:
        (line,) = (line for line in said.splitlines() if row["name"] in line.partition(":")[0] and "apt-get" in line)
        assert line.endswith(f"apt-get install {row['packages']}")
    assert "…" not in said  # a pipe takes the table as wide as it is


def test_nothing_is_to_be_installed_where_all_is_there(auscult, monkeypatch):
    monkeypatch.setattr(command, "missing_packages", lambda target: "")
    assert "apt-get" not in auscult("targets")[1]


def test_a_board_needs_no_torch():
    asked = "import sys, firmware_bridge.command, firmware_bridge.bench_target; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "pandas", "sklearn", "onnxruntime"} & set(loaded)


@pytest.mark.parametrize(
    ("size", "count"), [("1", 1), ("65536", 65536), ("64K", 65536), ("64KB", 65536), ("1m", 1 << 20)]
)
def test_sizes(size, count):
    assert bytes_of(size, "--ram") == count


@pytest.mark.parametrize("size", ["", "0", "0K", "K", "-1", "1.5K", "64KX", "64BK", "9" * 5000, "\u0663K", "64\u212a"])
def test_what_is_no_size_is_refused(size):
    with pytest.raises(InputError, match=r"^--ram: .* is no number of bytes"):
        bytes_of(size, "--ram")


def test_a_limit_on_pushes_is_planned_and_built(auscult, bundle, installed, tmp_path):
    installed("host")
    words = ["--target", "host", "--push-macs", "20000", "--json"]
    limited = json.loads(auscult("plan", bundle.path, *words)[1])["network"]
    free = json.loads(auscult("plan", bundle.path, "--target", "host", "--json")[1])["network"]
    assert limited["macs_of_worst_push"] < free["macs_of_worst_push"]
    assert limited["macs"] == free["macs"]
    assert limited["shares_after_last_push"] > 0
    auscult("firmware", bundle.path, *words, "-o", tmp_path / "firmware")
    assert "20000u" in (tmp_path / "firmware" / "net.h").read_text()
    told = made(tmp_path / "firmware")
    assert (told["differing_bytes"], told["listener_differing_bytes"]) == (0, 0)


@pytest.mark.parametrize("name", ["plan", "firmware"])
@pytest.mark.parametrize("limit", [-1, 2**32 - 1, 2**32, 2**32 + 20_000, 10**30])
def test_a_limit_that_c_cannot_hold_is_wrong_usage(auscult, tflite, tmp_path, name, limit):
    output = ["-o", tmp_path / "firmware"] if name == "firmware" else []
    code, said, complaint = auscult(name, tflite, "--target", "host", "--push-macs", limit, *output)
    assert (code, said) == (2, "")
    assert "--push-macs" in complaint
    assert not (tmp_path / "firmware").exists()


@pytest.mark.parametrize("limit", [-1, 2**32 - 1, 2**32])
def test_a_limit_that_c_cannot_hold_is_not_planned(tflite, limit):
    with pytest.raises(InputError, match=f"limited to {limit} multiply-accumulates; choose 1 to 4294967294"):
        model.Model.open(tflite).plan("c99", "double", limit)


def test_the_largest_limit_changes_no_byte(auscult, installed, tflite, tmp_path):
    installed("host")
    words = ["--target", "host", "--push-macs", 2**32 - 2, "-o", tmp_path / "firmware"]
    assert auscult("firmware", tflite, *words)[0] == 0
    assert "NET_PUSH_COST 4294967294u" in (tmp_path / "firmware" / "net.h").read_text()
    assert made(tmp_path / "firmware")["differing_bytes"] == 0


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["none.tflite", "--target", "host"], "cannot be read"),
        (["/dev/zero", "--target", "host"], "/dev/zero: is no file"),
        (["{tflite}", "--target", "host", "--listening", "/dev/zero"], "/dev/zero: is no file"),
        (["{tflite}", "--target", "z80"], "unknown target 'z80'"),
        (["{tflite}", "--target", "cortex-m0", "--kernels", "dsp8"], "cannot run kernels 'dsp8'; choose c99"),
        (
            ["{tflite}", "--target", "host", "--rounding", "triple"],
            "unknown rounding 'triple'; choose from double, single\n",
        ),
        (["{tflite}", "--target", "host", "--overlapping"], "--overlapping needs a bundle or --listening"),
        (["{tflite}", "--target", "host", "--listening", "{folder}"], "name a JSON file"),
        (["{tflite}", "--target", "host", "--listening", "{tflite}"], "write listening and thresholds"),
        (["{folder}", "--target", "host"], "no bundle here"),
    ],
)
def test_bad_input_is_one_sentence(refused, tflite, tmp_path, words, sentence):
    refused("plan", *(word.format(tflite=tflite, folder=tmp_path) for word in words), sentence=sentence)


def test_a_cut_file_is_one_sentence(refused, tflite):
    tflite.write_bytes(tflite.read_bytes()[:700])
    refused("plan", tflite, "--target", "host", sentence="net.tflite")
