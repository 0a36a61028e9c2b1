"""What becomes of a generated folder in somebody's application: C++, CMake, the example of its README."""

import json
import subprocess
from pathlib import Path

import pytest
from tiny_bundle import tiny_bundle


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


def done(*command: object, cwd: Path | None = None) -> str:
    """Run a program that must succeed; return what it printed."""
    ran = subprocess.run(list(map(str, command)), capture_output=True, text=True, cwd=cwd, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


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

    frontend_init(&frontend);
    net_init(&net);
    auscult_init(&listener);
    const std::size_t taken = auscult_push(&listener, silence, AUSCULT_SAMPLES, &scores);
    return (taken == AUSCULT_SAMPLES && scores != nullptr && labels[0][0] == 'c') ? 0 : 1;
}
"""


def test_a_cpp_program_links_against_the_c(firmware, needs, tmp_path):
    needs("g++")
    folder, answer = firmware("host")
    (tmp_path / "main.cpp").write_text("#include <cstdint>\n#include <cstddef>\n" + CPP)
    done("gcc", "-std=c99", "-c", *(folder / name for name in answer["sources"]), cwd=tmp_path)
    warn = ["-std=c++11", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]
    done("g++", *warn, f"-I{folder}", "main.cpp", *tmp_path.glob("*.o"), "-o", "main", cwd=tmp_path)
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
