"""What becomes of a generated folder in somebody's application: C++, CMake, the example of its README."""

import hashlib
import json
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from cnn6_tflite import cnn6
from host import CHECKED
from tiny_bundle import tiny_bundle

from export.bundle.golden import golden_pcm
from export.bundle.manifest import TFLITE_FILE
from firmware_bridge.device.targets import CFLAGS, find_target
from firmware_bridge.folder.golden import litert_outputs
from firmware_bridge.plan.model import Model
from firmware_bridge.sound.listener import Pace
from lungsound.files.versions import own_version
from lungsound.front_end import decide
from lungsound.listening import Listening
from lungsound.logmel import SPECS


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return tiny_bundle(tmp_path_factory)


@pytest.fixture
def firmware(auscult, bundle, installed, tmp_path):
    """A function that writes the bundle's firmware for a target, with more words; returns folder and answer."""

    def write(target: str, *words: str) -> tuple[Path, dict[str, object]]:
        installed(target)
        folder = tmp_path / "firmware"
        code, said, complaint = auscult("firmware", bundle.path, "--target", target, "-o", folder, "--json", *words)
        assert code == 0, complaint
        return folder, json.loads(said)

    return write


def example(folder: Path) -> str:
    """Return the C of the folder's README."""
    (code,) = re.findall(r"```c\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    return code


def done(*command: object, cwd: Path | None = None) -> str:
    """Run a program that must succeed; return what it printed."""
    ran = subprocess.run(list(map(str, command)), capture_output=True, text=True, cwd=cwd, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


def compiled(folder: Path, answer: dict[str, object], *command: object) -> list[Path]:
    """Compile a folder's sources, each by itself where it lies, so that the tests' ccache knows it again."""
    objects = [(folder / name).with_suffix(".o") for name in answer["sources"]]
    for source, made in zip(answer["sources"], objects, strict=True):
        done(*command, "-c", source, "-o", made.name, cwd=folder)
    return objects


CPP = """
#include "frontend.h"
#include "net.h"
#include "auscult.h"

int main()
{
    static auscult_t listener;
    static frontend_t frontend;
    static net_t net;
    static const std::int16_t silence[AUSCULT_SAMPLES] = {};
    const std::int8_t *scores = nullptr;
    const char *labels[] = AUSCULT_LABELS;
    const std::int16_t thresholds[] = AUSCULT_THRESHOLDS;

    frontend_init(&frontend);
    net_init(&net);
    auscult_init(&listener);
    const std::size_t taken = auscult_push(&listener, silence, AUSCULT_SAMPLES, &scores);
    static_assert(AUSCULT_LABEL_CRACKLE == 0 && AUSCULT_LABEL_WHEEZE == 1, "the order of AUSCULT_LABELS");
    const bool heard = scores != nullptr && auscult_has(scores, AUSCULT_LABEL_WHEEZE) == (scores[1] >= thresholds[1]);
    return (taken == AUSCULT_SAMPLES && heard && labels[AUSCULT_LABEL_CRACKLE][0] == 'c') ? 0 : 1;
}
"""


def test_a_cpp_program_links_against_the_c(firmware, needs, tmp_path):
    needs("g++")
    folder, answer = firmware("host")
    (tmp_path / "main.cpp").write_text("#include <cstdint>\n#include <cstddef>\n" + CPP)
    objects = compiled(folder, answer, "gcc", "-std=c99")
    warn = ["-std=c++11", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]
    done("g++", *warn, f"-I{folder}", "main.cpp", *objects, "-o", "main", cwd=tmp_path)
    done(tmp_path / "main")


@pytest.mark.slow
@pytest.mark.parametrize("target", ["host", "cortex-m4", "aarch64"])
def test_cmake_builds_and_tests_the_same(firmware, needs, tmp_path, target):
    needs("cmake")
    folder, _ = firmware(target)
    done("cmake", "-S", folder, "-B", tmp_path / "build")
    assert "bench_main" not in done("cmake", "--build", tmp_path / "build")
    said = done("ctest", "--output-on-failure", cwd=tmp_path / "build")
    assert "100% tests passed, 0 tests failed out of 2" in said
    said = done("cmake", "--build", tmp_path / "build", "--target", "bench")
    assert "listener_differing_bytes 0" in said


PARENT = """cmake_minimum_required(VERSION 3.16)
project(device C)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
enable_testing()
add_subdirectory(firmware)
add_executable(device main.c)
target_link_libraries(device auscult)
"""


def test_within_another_project_cmake_builds_the_library_alone(firmware, needs, tmp_path):
    needs("cmake")
    firmware("host")
    (tmp_path / "CMakeLists.txt").write_text(PARENT)
    (tmp_path / "main.c").write_text(
        '#include "auscult.h"\nstatic auscult_t listener;\n'
        "int main(void) { auscult_init(&listener); return auscult_busy(&listener) ? 1 : 0; }\n"
    )
    done("cmake", "-S", tmp_path, "-B", tmp_path / "build", "-DAUSCULT_TARGET_FLAGS=-DTHE_APPLICATIONS")
    done("cmake", "--build", tmp_path / "build")
    done(tmp_path / "build" / "device")
    targets = done("cmake", "--build", tmp_path / "build", "--target", "help")
    assert "auscult" in targets
    assert "self_test" not in targets
    assert "bench" not in targets
    commands = json.loads((tmp_path / "build" / "compile_commands.json").read_text())
    of_file = {Path(entry["file"]).name: entry["command"] for entry in commands}
    assert "-ffp-contract" not in of_file["main.c"]
    assert "-DTHE_APPLICATIONS" not in of_file["main.c"]
    for flag in ("-ffp-contract=off", "-std=c99", "-DTHE_APPLICATIONS"):
        assert flag in of_file["net.c"]


HEARS = """
#include <stdbool.h>
#include <stdio.h>
static void decided(bool crackle, bool wheeze);
#include "example.c"

static FILE *decisions;
static void decided(bool crackle, bool wheeze)
{
    (void)fputc(crackle, decisions);
    (void)fputc(wheeze, decisions);
}

int main(void)
{
    FILE *const in = fopen("pcm.bin", "rb");
    static int16_t pcm[%(step)s];
    %(more)s

    decisions = fopen("decisions.bin", "wb");
    begin();
    while (fread(pcm, sizeof pcm, 1u, in) == 1u) {
        %(call)s
    }
    %(finish)s
    return fclose(decisions);
}
"""
AT_ONCE = {"step": "100", "more": "", "call": "hear(pcm, 100u);", "finish": ""}
IN_SHARES = {
    "step": "TICK",
    "more": "size_t deepest = 0u;",
    "call": """
        deepest = ((waiting + TICK) > deepest) ? (waiting + TICK) : deepest;
        if (deepest > DEPTH) {
            return 2;
        }
        tick(pcm);""",
    "finish": """
    end();
    if (deepest < (DEPTH - (DEPTH / 8))) {
        return 3;
    }""",
}


@pytest.mark.parametrize("overlapping", [False, True])
@pytest.mark.parametrize("limit", [0, 20_000])
def test_the_readmes_example_decides_as_python_does(firmware, bundle, tmp_path, overlapping, limit):
    words = [*(["--overlapping"] if overlapping else []), *(["--push-macs", str(limit)] if limit else [])]
    folder, answer = firmware("host", *words)
    listening = bundle.manifest.listening
    pcm = np.concatenate(golden_pcm(listening)[2:7])  # whole windows: after its last sample a decision is pending
    hop = listening.hop_samples if overlapping else listening.samples
    windows = np.lib.stride_tricks.sliding_window_view(pcm, listening.samples)[::hop]
    codes = Model.open(bundle.path).interface.codes(windows)
    wanted = decide(litert_outputs(bundle.contents[TFLITE_FILE], "double", codes), bundle.manifest.threshold_codes)
    assert set(np.unique(wanted)) == {0, 1}

    (tmp_path / "example.c").write_text(example(folder))
    (tmp_path / "main.c").write_text(HEARS % (IN_SHARES if limit else AT_ONCE))
    (tmp_path / "pcm.bin").write_bytes(pcm.tobytes())
    command = ["gcc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-g", *CHECKED]
    objects = compiled(folder, answer, *command)
    done(*command, f"-I{folder}", "main.c", *objects, "-o", "main", cwd=tmp_path)
    done(tmp_path / "main", cwd=tmp_path)
    found = np.frombuffer((tmp_path / "decisions.bin").read_bytes(), np.uint8).reshape(-1, 2)
    np.testing.assert_array_equal(found, wanted)


def test_the_pace_of_a_limit():
    listening = Listening.with_whole_hop(SPECS["device_4k"], 4.0, 2.0)
    assert Pace.of(listening, 12, overlapping=False) == Pace(12, 16000 // (125 + 1 + 12))
    assert Pace.of(listening, 0, overlapping=True) == Pace(1, 7936 // (62 + 1 + 1))
    centred = Listening.with_whole_hop(SPECS["m2d"], 4.0, 2.0)  # its last two frames reach beyond the last sample
    assert Pace.of(centred, 5, overlapping=False).calls == 2 + 5


def test_thresholds_are_the_applications_to_change(firmware, tmp_path):
    folder, answer = firmware("host")
    (tmp_path / "main.c").write_text(
        '#include "auscult.h"\nint main(void) { const int8_t scores[2] = {7, 7}; '
        "return (auscult_has(scores, AUSCULT_LABEL_CRACKLE) ? 1 : 0)"
        " + (auscult_has(scores, AUSCULT_LABEL_WHEEZE) ? 2 : 0); }\n"
    )
    for thresholds, given in (("{7,8}", 1), ("{128,-128}", 2)):
        command = ["gcc", f"-DAUSCULT_THRESHOLDS={thresholds}"]
        objects = compiled(folder, answer, *command)
        done(*command, f"-I{folder}", "main.c", *objects, "-o", "main", cwd=tmp_path)
        assert subprocess.run([tmp_path / "main"], check=False).returncode == given


@pytest.mark.parametrize("target", ["cortex-m0", "cortex-m4", "cortex-m55", "rv32"])
def test_three_functions_of_the_c_library_are_needed(firmware, tmp_path, target):
    folder, answer = firmware(target, "--push-macs", "20000")
    core = find_target(target)
    objects = compiled(folder, answer, f"{core.compiler}gcc", *core.flags, *CFLAGS)
    listed = done(f"{core.compiler}nm", "-g", *objects).splitlines()
    symbols = [line.split()[-2:] for line in listed if len(line.split()) > 1]
    wanted, defined = ({name for kind, name in symbols if (kind == "U") is undefined} for undefined in (True, False))
    of_the_library = {name for name in wanted - defined if not name.startswith("__")}  # those are the compiler's own
    assert of_the_library == {"memcpy", "memmove", "memset"}
    assert "memcpy, memmove and memset" in (folder / "README.md").read_text()


def test_the_folder_says_what_it_was_made_of(firmware, bundle):
    folder, _ = firmware("cortex-m4")
    sha256 = hashlib.sha256(bundle.contents[TFLITE_FILE]).hexdigest()
    facts = json.loads((folder / "report.json").read_text())
    assert (facts["auscult"], facts["tflite_sha256"]) == (own_version(), sha256)
    assert (facts["seconds"], facts["sample_rate"], facts["teacher_licence"]) == (2.0, 4000, "Apache-2.0")
    net = (folder / "net.h").read_text()
    assert f'#define NET_TFLITE_SHA256 "{sha256}"' in net
    assert f'#define NET_AUSCULT_VERSION "{own_version()}"' in net
    assert "#define AUSCULT_SECONDS 2.0 " in (folder / "auscult_config.h").read_text()
    said = " ".join((folder / "README.md").read_text().split())
    for sentence in (
        "A tick of `make bench` is 0.625 instructions in QEMU",
        "Its teacher's licence, which the bundle carries: Apache-2.0.",
        "not a medical device",
        "no automatic gain",
        f"crackle {bundle.manifest.threshold_codes[0]}, wheeze {bundle.manifest.threshold_codes[1]} (logits",
        "(value - NET_OUTPUT_ZERO_POINT) * NET_OUTPUT_SCALE",
        "DMA: ",
        "One thread, or one interrupt priority, owns a context",
    ):
        assert sentence in said


def test_the_network_alone_says_how_a_limit_is_worked_off(auscult, tmp_path):
    (tmp_path / "net.tflite").write_bytes(cnn6(np.random.default_rng(1), 33, mels=16, width=4, heads=2))
    words = ["firmware", tmp_path / "net.tflite", "--target", "host", "-o", tmp_path / "firmware", "--json"]
    network = json.loads(auscult(*words, "--push-macs", "20000")[1])["network"]
    said = (tmp_path / "firmware" / "README.md").read_text()
    assert f"call `net_work` once a tick, up to {network['shares_after_last_push']} times" in said
    facts = json.loads((tmp_path / "firmware" / "report.json").read_text())
    assert facts["seconds"] is facts["teacher_licence"] is None
