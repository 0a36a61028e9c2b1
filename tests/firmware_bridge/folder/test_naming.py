"""Several models in one program: each has its own name before every symbol and file."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from cnn6_tflite import cnn6
from host import CHECKED
from make_folder import made

from firmware_bridge.device.qemu import build, run
from firmware_bridge.folder.golden import golden_windows, litert_outputs
from firmware_bridge.folder.naming import check_name
from firmware_bridge.plan.model import Model
from lungsound.errors import InputError
from lungsound.files.plain_json import dumps
from lungsound.listening import Listening
from lungsound.logmel import SPECS

SANITIZED = {"host": ("-O0", *CHECKED), "cortex-m4": ()}
"""What each compiles with: no other test makes files of these names, so that the host's are made the quickest way."""
WINDOWS = 4

NETWORKS = """
#include "board.h"
#include "kws_net.h"
#include "Wake_2_net.h"

enum { WINDOWS = 4 };
static kws_net_t kws;
static Wake_2_net_t wake;
static int8_t kws_rows[WINDOWS][KWS_NET_ROWS][KWS_NET_ROW_VALUES];
static int8_t kws_output[WINDOWS][KWS_NET_OUTPUT_VALUES];
static int8_t wake_rows[WINDOWS][WAKE_2_NET_ROWS][WAKE_2_NET_ROW_VALUES];
static int8_t wake_output[WINDOWS][WAKE_2_NET_OUTPUT_VALUES];

static void read_all(const char *path, void *data, size_t bytes)
{
    const int handle = board_open_read(path);

    (void)board_read(handle, data, bytes);
    board_close(handle);
}

int main(void)
{
    const int handle = board_open_write("outputs.bin");

    read_all("kws.bin", kws_rows, sizeof kws_rows);
    read_all("wake.bin", wake_rows, sizeof wake_rows);
    for (size_t w = 0; w < WINDOWS; ++w) {
        kws_net_init(&kws);
        Wake_2_net_init(&wake);
        for (size_t r = 0; (r < KWS_NET_ROWS) || (r < WAKE_2_NET_ROWS); ++r) {
            if (r < KWS_NET_ROWS) {
                (void)kws_net_push(&kws, kws_rows[w][r]);
            }
            if (r < WAKE_2_NET_ROWS) {
                (void)Wake_2_net_push(&wake, wake_rows[w][r]);
            }
        }
        kws_net_output(&kws, kws_output[w]);
        Wake_2_net_output(&wake, wake_output[w]);
    }
    return board_write(handle, kws_output, sizeof kws_output) | board_write(handle, wake_output, sizeof wake_output);
}
"""

STUDENTS = """
#include "board.h"
#include "heart_auscult.h"
#include "lung_auscult.h"

static heart_auscult_t heart;
static lung_auscult_t lung;
static int16_t heart_pcm[HEART_AUSCULT_SAMPLES], lung_pcm[LUNG_AUSCULT_SAMPLES];

static void read_all(const char *path, void *data, size_t bytes)
{
    const int handle = board_open_read(path);

    (void)board_read(handle, data, bytes);
    board_close(handle);
}

int main(void)
{
    const int handle = board_open_write("scores.bin");
    const int8_t *heart_scores = NULL, *lung_scores = NULL;
    size_t heart_heard = 0u, lung_heard = 0u;

    read_all("heart.bin", heart_pcm, sizeof heart_pcm);
    read_all("lung.bin", lung_pcm, sizeof lung_pcm);
    heart_auscult_init(&heart);
    lung_auscult_init(&lung);
    while ((heart_scores == NULL) || (lung_scores == NULL)) {
        if (heart_scores == NULL) {
            heart_heard += heart_auscult_push(&heart, &heart_pcm[heart_heard], 100u, &heart_scores);
        }
        if (lung_scores == NULL) {
            lung_heard += lung_auscult_push(&lung, &lung_pcm[lung_heard], 50u, &lung_scores);
        }
    }
    return board_write(handle, heart_scores, HEART_NET_OUTPUT_VALUES) |
           board_write(handle, lung_scores, LUNG_NET_OUTPUT_VALUES);
}
"""


@pytest.fixture
def linked(auscult, installed, tmp_path):
    """A function: models by name and a main for a target, one program out."""

    def link(models: dict[str, tuple[object, ...]], main: str, target: str):
        installed(target)
        folders, sources = [], []
        for name, words in models.items():
            folder = tmp_path / target / name
            code, said, complaint = auscult(
                "firmware", *words, "--target", target, "-o", folder, "--name", name, "--json"
            )
            assert code == 0, complaint
            folders.append(folder)
            sources += [folder / file for file in json.loads(said)["sources"]]
        (tmp_path / "main.c").write_text(main)
        built = build(
            [*sources, tmp_path / "main.c"],
            installed(target),
            tmp_path / target,
            include=folders,
            flags=SANITIZED[target],
        )
        assert built.warnings == ""
        return built

    return link


def test_two_networks_answer_in_one_program_as_each_does_alone(linked, shared):
    """With the kernels of a core; two students go through the same on both targets."""
    cases = shared / "data" / "cases"
    files = {"kws": cases / "kws_mlperf.tflite", "Wake_2": cases / "streaming_wakeword_mlperf.tflite"}
    built = linked({name: (path,) for name, path in files.items()}, NETWORKS, "cortex-m4")
    inputs, wanted = {}, b""
    for path, name in zip(files.values(), ("kws.bin", "wake.bin"), strict=True):
        stream = Model.open(path).plan("c99", "double").program.streams[0]
        windows = golden_windows(stream.rows * stream.width)
        inputs[name] = windows.tobytes()
        wanted += litert_outputs(path.read_bytes(), "double", windows).tobytes()
    done = run(built, inputs=inputs, outputs=["outputs.bin"])
    assert (done.status, done.files["outputs.bin"]) == (0, wanted)


def student(folder: Path, seconds: float, labels: tuple[str, ...], seed: int) -> tuple[Path, str, Path]:
    """Write a CNN6 and what it listens to; returns the words that name both."""
    listening = Listening.with_whole_hop(SPECS["device_4k"].with_statistics(-8.0, 4.0), seconds, seconds, labels)
    content = cnn6(np.random.default_rng(seed), listening.frames, width=4, heads=2)
    (folder / f"{seed}.tflite").write_bytes(content)
    (folder / f"{seed}.json").write_text(dumps({"listening": listening.to_dict(), "thresholds": [0.0] * len(labels)}))
    return folder / f"{seed}.tflite", "--listening", folder / f"{seed}.json"


@pytest.mark.parametrize("target", SANITIZED)
def test_two_students_listen_in_one_program(linked, tmp_path, target):
    """One to 2 s and one to a second, with other labels, each at its own pace."""
    words = {
        "heart": student(tmp_path, 2.0, ("crackle", "wheeze"), 1),
        "lung": student(tmp_path, 1.0, ("snore", "cough"), 2),
    }
    built = linked(words, STUDENTS, target)
    inputs, wanted = {}, b""
    for name, (file, _, hears) in words.items():
        interface = Model.open(file, hears).interface
        pcm = interface.sounds()[5:6]
        inputs[f"{name}.bin"] = pcm.tobytes()
        wanted += litert_outputs(file.read_bytes(), "double", interface.codes(pcm)).tobytes()
    done = run(built, inputs=inputs, outputs=["scores.bin"])
    assert (done.status, done.files["scores.bin"]) == (0, wanted)


def test_a_folder_with_a_name_tests_itself_and_shows_no_other_symbol(auscult, tmp_path):
    folder = tmp_path / "firmware"
    words = (
        "firmware",
        *student(tmp_path, 1.0, ("crackle", "wheeze"), 1),
        "--target",
        "host",
        "-o",
        folder,
        "--name",
        "heart",
        "--json",
    )
    assert auscult(*words)[0] == 0
    told = made(folder)
    assert (told["differing_bytes"], told["listener_differing_bytes"]) == (0, 0)
    code, said, _ = auscult(*words)  # what make built stands in no one's way
    assert code == 0
    sources = json.loads(said)["sources"]
    made(folder)
    objects = [folder / "objects" / Path(source).with_suffix(".o") for source in sources]
    listed = subprocess.run(["nm", "-g", "--defined-only", *objects], capture_output=True, text=True, check=True).stdout
    symbols = [line.split()[-1] for line in listed.splitlines() if " " in line]
    assert len(symbols) > 20
    assert [symbol for symbol in symbols if not symbol.startswith("heart_")] == []
    applications = {*sources, *(path.name for path in folder.glob("*.h"))} - {"golden.h", "golden_sound.h"}
    assert [name for name in applications if not name.startswith("heart_")] == []
    readme = (folder / "README.md").read_text()
    assert "heart_auscult_push(&listener" in readme
    assert "-DHEART_AUSCULT_THRESHOLDS=" in readme
    assert "NET_" not in readme.replace("HEART_NET_", "")


@pytest.mark.slow
def test_cmake_takes_two_models_into_one_project(auscult, needs, tmp_path, tflite):
    needs("cmake")
    for name in ("kws", "Wake_2"):
        assert auscult("firmware", tflite, "--target", "host", "-o", tmp_path / name, "--name", name)[0] == 0
    (tmp_path / "main.c").write_text(
        '#include "kws_net.h"\n#include "Wake_2_net.h"\n'
        "int main(void)\n{\n    static kws_net_t kws;\n    static Wake_2_net_t wake;\n"
        "    kws_net_init(&kws);\n    Wake_2_net_init(&wake);\n    return 0;\n}\n"
    )
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.16)\nproject(device C)\nadd_subdirectory(kws)\nadd_subdirectory(Wake_2)\n"
        "add_executable(device main.c)\ntarget_link_libraries(device kws_auscult Wake_2_auscult)\n"
    )
    for command in (["cmake", "-S", ".", "-B", "build"], ["cmake", "--build", "build"], ["build/device"]):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["", "9lives", "a-b", "a__b", "_a", "a_", "x" * 32, "naïve", "a b", "a\nb"])
def test_what_no_c_identifier_begins_with_is_refused(name):
    with pytest.raises(InputError, match=r"^--name: .* is no beginning of a C identifier; write letters"):
        check_name(name)


def test_the_command_refuses_it_in_a_sentence(refused, tflite, tmp_path):
    words = ("firmware", tflite, "--target", "host", "-o", tmp_path / "out", "--name", "a-b")
    refused(*words, sentence="--name: 'a-b' is no beginning of a C identifier")
    assert not (tmp_path / "out").exists()
