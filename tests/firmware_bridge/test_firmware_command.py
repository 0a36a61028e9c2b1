"""`auscult firmware`, `plan` and `targets` as a user meets them; the folders of the first one, made and run."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cnn6_tflite import cnn6
from one_op_tflite import Model, Node, Spec, build
from tiny_bundle import tiny_bundle

from firmware_bridge import footprint, model, project
from firmware_bridge.command import bytes_of
from firmware_bridge.targets import targets
from lungsound.errors import InputError


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return tiny_bundle(tmp_path_factory)


@pytest.fixture
def tflite(tmp_path):
    path = tmp_path / "net.tflite"
    path.write_bytes(cnn6(np.random.default_rng(1), 33, mels=16, width=4, heads=2))
    return path


def made(folder: Path, *words: str) -> dict[str, int]:
    """Run make; return the lines that the tests printed."""
    done = subprocess.run(["make", "-s", "-C", str(folder), *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr
    return {name: int(value) for name, value in (line.split() for line in done.stderr.splitlines())}


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


def test_the_readmes_example_compiles(auscult, installed, bundle, tmp_path):
    installed("host")
    folder = tmp_path / "firmware"
    auscult("firmware", bundle.path, "--target", "host", "-o", folder)
    example = (folder / "README.md").read_text().split("```c\n")[1].split("```")[0]
    (tmp_path / "example.c").write_text("#include <stdbool.h>\nvoid decided(bool crackle, bool wheeze);\n" + example)
    warn = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-Wno-missing-prototypes"]
    done = subprocess.run(["gcc", *warn, f"-I{folder}", "-c", tmp_path / "example.c", "-o", tmp_path / "example.o"])
    assert done.returncode == 0


def test_nothing_of_this_computer_is_written_into_the_folder(auscult, bundle, tmp_path):
    auscult("firmware", bundle.path, "--target", "cortex-m4", "-o", tmp_path / "firmware")
    files = [path for path in (tmp_path / "firmware").rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if str(bundle.path.parent).encode() in path.read_bytes()]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("cmake") is None, reason="apt-get install cmake")
@pytest.mark.parametrize("target", ["host", "cortex-m4", "aarch64"])
def test_cmake_builds_and_tests_the_same(auscult, installed, bundle, tmp_path, target):
    installed(target)
    auscult("firmware", bundle.path, "--target", target, "-o", tmp_path / "firmware")
    configure = ["cmake", "-S", str(tmp_path / "firmware"), "-B", str(tmp_path / "build")]
    for command in (configure, ["cmake", "--build", str(tmp_path / "build")]):
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    done = subprocess.run(["ctest", "--output-on-failure"], cwd=tmp_path / "build", capture_output=True, text=True)
    assert "100% tests passed, 0 tests failed out of 2" in done.stdout


@pytest.fixture
def firmware(auscult, tflite, tmp_path):
    """A function that writes the network's firmware into a folder, and the folder of a first call."""

    def write(folder: Path) -> tuple[int, str]:
        code, _, complaint = auscult("firmware", tflite, "--target", "host", "-o", folder)
        return code, complaint

    folder = tmp_path / "firmware"
    assert write(folder)[0] == 0
    return write, folder


def test_an_earlier_folder_is_replaced_with_what_was_built_in_it(firmware, installed):
    installed("host")
    write, folder = firmware
    written = {path.relative_to(folder) for path in folder.rglob("*")}
    made(folder)
    made(folder, "bench")
    assert {path.name for path in folder.glob("*.elf")} == {"self_test.elf", "bench_main.elf"}
    assert write(folder) == (0, "")
    assert {path.relative_to(folder) for path in folder.rglob("*")} == written


@pytest.mark.parametrize("mine", ["main.c", "notes.txt", "board/mine.h", "src/main.c", "app.elf", "link"])
def test_a_folder_with_files_of_others_is_refused(firmware, mine):
    write, folder = firmware
    (folder / mine).parent.mkdir(exist_ok=True)
    if mine == "link":
        (folder / mine).symlink_to(folder / "net.c")
    else:
        (folder / mine).write_text("mine")
    before = sorted(path.relative_to(folder) for path in folder.rglob("*"))
    code, complaint = write(folder)
    assert code == 1
    assert f"{folder}: holds {mine}, which auscult did not write; name another folder" in complaint
    assert sorted(path.relative_to(folder) for path in folder.rglob("*")) == before


def test_a_folder_with_a_changed_file_is_refused(firmware):
    write, folder = firmware
    with (folder / "board" / "text.c").open("a") as file:
        file.write("/* mine */")
    code, complaint = write(folder)
    assert (code, "board/text.c, which was changed" in complaint) == (1, True)


@pytest.mark.parametrize("report", [None, "", "[]", "{}", '{"files": 3}', "\xff"])
def test_a_folder_without_its_list_of_files_is_refused(firmware, report):
    write, folder = firmware
    (folder / "report.json").unlink()
    if report is not None:
        (folder / "report.json").write_bytes(report.encode("latin-1"))
    code, complaint = write(folder)
    assert (code, "which auscult did not write" in complaint) == (1, True)
    assert (folder / "net.c").is_file()


def test_an_empty_folder_is_filled_and_a_foreign_one_is_not(auscult, tflite, tmp_path):
    words = ["firmware", tflite, "--target", "host", "-o"]
    (tmp_path / "empty").mkdir()
    assert auscult(*words, tmp_path / "empty")[0] == 0
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "net.c").write_text("mine")
    (tmp_path / "mine" / "thesis.tex").touch()
    code, _, complaint = auscult(*words, tmp_path / "mine")
    assert (code, "holds net.c, which auscult did not write" in complaint) == (1, True)
    assert sorted(path.name for path in (tmp_path / "mine").iterdir()) == ["net.c", "thesis.tex"]


def test_a_link_to_a_folder_stays_a_link(firmware, tmp_path):
    write, folder = firmware
    link = tmp_path / "link"
    link.symlink_to(folder)
    assert write(link)[0] == 0
    assert link.is_symlink()
    (folder / "mine").touch()
    assert (write(link)[0], link.is_symlink()) == (1, True)


def test_a_folder_without_a_name_is_wrong_usage(auscult, tflite, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, complaint = auscult("firmware", tflite, "--target", "host", "-o", "")
    assert (code, "the name is empty" in complaint) == (2, True)
    assert [path.name for path in tmp_path.iterdir()] == [tflite.name]


@pytest.mark.parametrize(
    ("folder", "sentence"),
    [
        ("net.tflite", "is a file; name a folder"),
        ("net.tflite/sub", "net.tflite is a file"),
        ("/proc/none/sub", "cannot be written (No such file or directory)"),
        (".", "is the folder that this command runs in"),
    ],
)
def test_a_folder_that_cannot_be_written_is_one_sentence(refused, tflite, tmp_path, monkeypatch, folder, sentence):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty" if folder == "." else tmp_path)
    refused("firmware", tflite, "--target", "host", "-o", folder, sentence=sentence)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["empty", tflite.name]


def test_a_folder_is_there_whole_or_not_at_all(auscult, tflite, tmp_path, monkeypatch):
    def refuse(*_: object) -> None:
        raise InputError("not today")

    monkeypatch.setattr(project, "litert_outputs", refuse)
    code, _, complaint = auscult("firmware", tflite, "--target", "host", "-o", tmp_path / "firmware")
    assert (code, "not today" in complaint) == (1, True)
    assert [path.name for path in tmp_path.iterdir()] == [tflite.name]


def test_a_plan_adds_up(auscult, bundle):
    code, said, _ = auscult("plan", bundle.path, "--target", "cortex-m0", "--ram", "16K", "--flash", "256k", "--json")
    plan = json.loads(said)
    assert code == 0
    assert plan["ram_bytes"] == sum(plan["ram"].values())
    assert plan["flash_bytes"] == sum(plan["flash"].values())
    assert plan["ram"]["networks"] == plan["network"]["context_bytes"]
    layers = plan["network"]["layers"]
    whole = {name for layer in layers for name in layer["whole"]}
    held = sum(layer["ring_bytes"] for layer in layers if layer["tensor"] in whole)
    assert plan["network"]["whole_bytes"] == held > 0
    overlapping = json.loads(auscult("plan", bundle.path, "--target", "cortex-m0", "--overlapping", "--json")[1])
    assert overlapping["ram"]["networks"] == 3 * plan["ram"]["networks"]
    assert overlapping["flash_bytes"] == plan["flash_bytes"]


def test_a_plan_for_people_names_every_layer(auscult, bundle):
    code, said, _ = auscult("plan", bundle.path, "--target", "cortex-m4")
    assert code == 0
    assert said.count("CONV_2D") == 6
    assert "in the worst" in said
    assert "bytes one window at a time," in said
    assert "what it and later ones hold whole takes" in said


@pytest.mark.parametrize(
    ("budget", "sentence"),
    [
        (["--ram", "6K"], "bytes of RAM (networks"),
        (["--flash", "30000"], "and there are 30000; CONV_2D 'block4/pool' takes most"),
        (["--ram", "6K"], "and there are 6144; CONV_2D 'block1/pool' takes most of the network"),
        (["--flash", "40000"], "the largest width that would fit is 0.0"),
        (["--ram", "1000"], "no width of this model would fit"),
        (["--ram", "lots"], "'lots' is no number of bytes"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(auscult, bundle, budget, sentence):
    code, said, complaint = auscult("plan", bundle.path, "--target", "cortex-m4", *budget)
    assert (code, said) == (1, "")
    assert sentence in complaint
    assert "Traceback" not in complaint


@pytest.mark.parametrize("what", ["ram", "flash"])
def test_the_width_that_a_refusal_names_is_the_largest_that_fits(auscult, tmp_path, what):
    paths = {width: tmp_path / f"{width}.tflite" for width in (8, 16)}
    for width, path in paths.items():
        path.write_bytes(cnn6(np.random.default_rng(0), 100, width=width, heads=4))
    words = ["--target", "cortex-m4"]
    need = json.loads(auscult("plan", paths[8], *words, "--json")[1])[f"{what}_bytes"]
    for budget, channels in ((need, 64), (need - 1, 56)):
        complaint = auscult("plan", paths[16], *words, f"--{what}", budget)[2]
        assert f"{channels} channels in the widest layer (now 128)" in complaint


def test_a_width_that_cannot_be_told_is_not_named(auscult, tflite, monkeypatch):
    monkeypatch.setattr(footprint, "narrow", lambda graph, share: None)
    complaint = auscult("plan", tflite, "--target", "host", "--ram", "100")[2]
    assert "cannot be told of this model" in complaint


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


def test_a_board_needs_no_torch():
    asked = "import sys, firmware_bridge.command, firmware_bridge.bench_target; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "pandas", "sklearn", "onnxruntime"} & set(loaded)


@pytest.mark.parametrize(("size", "count"), [("0", 0), ("65536", 65536), ("64K", 65536), ("1m", 1 << 20)])
def test_sizes(size, count):
    assert bytes_of(size) == count


@pytest.mark.parametrize("size", ["", "K", "-1", "1.5K", "64KB", "9" * 5000, "\u0663K", "64\u212a"])
def test_what_is_no_size_is_refused(size):
    with pytest.raises(InputError, match="no number of bytes"):
        bytes_of(size)


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


@pytest.mark.parametrize("command", ["plan", "firmware"])
@pytest.mark.parametrize("limit", [-1, 2**32 - 1, 2**32, 2**32 + 20_000, 10**30])
def test_a_limit_that_c_cannot_hold_is_wrong_usage(auscult, tflite, tmp_path, command, limit):
    output = ["-o", tmp_path / "firmware"] if command == "firmware" else []
    code, said, complaint = auscult(command, tflite, "--target", "host", "--push-macs", limit, *output)
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


def test_a_pipe_is_one_sentence(refused, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    refused("plan", tmp_path / "pipe", "--target", "host", sentence="pipe: is no file")


def test_what_is_no_model_is_not_read_to_its_end(refused, tmp_path):
    with (tmp_path / "large").open("wb") as file:
        file.truncate(1 << 40)
    refused("plan", tmp_path / "large", "--target", "host", sentence="large: not a .tflite file")


def test_a_model_too_large_for_any_core_is_one_sentence(refused, tflite):
    os.truncate(tflite, 1 << 40)
    refused(
        "plan", tflite, "--target", "host", sentence="has 1099511627776 bytes, and firmware takes 268435456 at most"
    )


@pytest.mark.parametrize("rounding", ["double", "single"])
def test_names_that_are_not_utf_8_are_no_hindrance(auscult, installed, tmp_path, rounding):
    installed("host")
    tensors = [Spec((1, 4, 8, 1), name="NAME"), Spec((1, 4, 8, 1), name="MADE")]
    content = build(Model([*tensors], [Node("RELU", [0], 1, version=2)]))
    path = tmp_path / "named.tflite"
    path.write_bytes(content.replace(b"NAME", b"\xff\xe9*/").replace(b"MADE", b"\xc3\xff\\\n"))
    words = ["--target", "host", "--rounding", rounding, "-o", tmp_path / "firmware"]
    code, _, complaint = auscult("firmware", path, *words)
    assert (code, complaint) == (0, "")
    assert made(tmp_path / "firmware")["differing_bytes"] == 0
    code, said, _ = auscult("plan", path, "--target", "host")
    assert (code, r"\xc3\xff" in said) == (0, True)
