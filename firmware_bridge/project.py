"""A folder that compiles by itself: network, front end, listener, golden vectors, self-tests, build files, README."""

import shutil
from pathlib import Path
from typing import Any

from firmware_bridge.emit import kernel_files, write_network
from firmware_bridge.footprint import Footprint
from firmware_bridge.frontend import write_frontend
from firmware_bridge.golden import golden_windows, litert_outputs
from firmware_bridge.hearing import Hearing
from firmware_bridge.listener import write_listener
from firmware_bridge.plan import Network, report, report_text
from firmware_bridge.qemu import BOARDS, board_sources, linker_script, runner
from firmware_bridge.rendering import render
from firmware_bridge.targets import Target
from firmware_bridge.written_files import REPORT_FILE, hashes
from lungsound.plain_json import dumps

_C = BOARDS.parent
_BOARD_HEADERS = ("board.h", "bare_metal.h")
_GOLDEN_SOUNDS = [5, 7]  # of a hearing's sounds: breath with clicks and a whistle, noise at full scale
_GOLDEN_FRAMES = 32


def write_project(folder: Path, footprint: Footprint, target: Target) -> list[str]:
    """Write everything that `target` needs to run a model, and to test and measure that it does.

    Parameters
    ----------
    folder : Path
        An existing, empty folder.
    footprint : Footprint
        The model, its layout, and whether windows overlap.
    target : Target
        The core that build files and tests are for.

    Returns
    -------
    list of str
        The C files that an application compiles.

    Raises
    ------
    InputError
        If the front end cannot be computed in integers, or LiteRT does not run the model.
    """
    model, network = footprint.model, footprint.network
    sources = write_sources(folder, footprint)
    facts = report(network) | {"target": target.name, "application": footprint.facts()}
    text = f"{footprint.text()}\n\n{report_text(report(network))}"
    (folder / "report.txt").write_text(text)
    _write_golden(folder, model.content, network)
    tests = ["self_test.c"]
    if model.hearing:
        _write_golden_sound(folder, model.hearing)
        tests.append("self_test_sound.c")
    for name in tests:
        shutil.copyfile(_C / name, folder / name)
    build = _build_values(target) | {"sources": sources, "tests": tests, "sound": model.hearing is not None}
    external = target.wants_external_flash(sum(footprint.flash.values()))
    _write_board(folder / "board", target, external=external)
    for name in ("Makefile", "CMakeLists.txt"):
        (folder / name).write_text(render(name, **build))
    source, made = (network.program.streams[index] for index in (network.program.input, network.program.output))
    readme = {"model": model, "network": network, "footprint": footprint, "report": text, "input": source}
    readme["testable"] = target.machine is None or footprint.testable_on(target.machine)
    (folder / "README.md").write_text(
        render("firmware_README.md", **readme, **build, output=made, hearing=model.hearing, external=external)
    )
    (folder / REPORT_FILE).write_text(dumps(facts | {"files": hashes(folder)}))
    return sources


def how_to_test(folder: Path, footprint: Footprint, target: Target) -> str:
    """Return what to do with a written folder, or why its self-tests cannot run here."""
    machine = target.machine
    if machine is None or footprint.testable_on(machine):
        return f"`make -C {folder}` tests it"
    return (
        f"its self-tests do not fit {machine.name}, the machine of QEMU that stands for {target.core} "
        f"with {machine.ram.size} bytes of RAM and {machine.code.size} of flash; a larger device may hold them"
    )


def write_sources(folder: Path, footprint: Footprint) -> list[str]:
    """Write the C files of the application alone; returns those to be compiled, by name. Raises as `write_project`."""
    model, network = footprint.model, footprint.network
    write_network(folder, network)
    sources = [name for name in ("net.c", *kernel_files(network)) if name.endswith(".c")]
    hearing = model.hearing
    if hearing is None:
        return sources
    listening = hearing.listening
    written = write_frontend(folder, listening.logmel, hearing.input.scale, hearing.input.zero_point)
    written += write_listener(folder, listening, hearing.threshold_codes, overlapping=footprint.overlapping)
    return sources + [path.name for path in written]


def _write_golden(folder: Path, content: bytes, network: Network) -> None:
    source = network.program.streams[network.program.input]
    outputs = litert_outputs(content, network.rounding, golden_windows(source.rows * source.width))
    (folder / "golden.h").write_text(render("golden.h", golden=outputs.tolist()))


def _write_golden_sound(folder: Path, hearing: Hearing) -> None:
    """Write the first frames of some made-up windows, and their codes by the float64 reference."""
    listening, sounds = hearing.listening, hearing.sounds()[_GOLDEN_SOUNDS]
    spec = listening.logmel
    samples = min(listening.samples, spec.n_fft + _GOLDEN_FRAMES * spec.hop)
    ahead = spec.n_fft // 2 + 1 if spec.padding == "reflect" else spec.n_fft
    frames = (samples - ahead) // spec.hop + 1
    codes = hearing.codes(sounds)[:, :frames].reshape(len(sounds), -1)
    text = render("golden_sound.h", pcm=sounds[:, :samples].tolist(), codes=codes.tolist())
    (folder / "golden_sound.h").write_text(text)


def _build_values(target: Target) -> dict[str, Any]:
    """Return what the build files say of the target."""
    bare = ("-T", "board/board.ld") if target.machine else ()
    cmake = ("-T", "${CMAKE_CURRENT_SOURCE_DIR}/board/board.ld") if target.machine else ()
    return {
        "target": target,
        "board": [f"board/{path.name}" for path in board_sources(target)],
        "defines": [f"-D{target.machine.counter}"] if target.machine else [],
        "link": [*target.link, *bare],
        "cmake_link": [*target.flags, *target.link, *cmake],
        "runner": runner(target),
    }


def _write_board(folder: Path, target: Target, *, external: bool) -> None:
    folder.mkdir()
    for path in (*board_sources(target), *(BOARDS / name for name in _BOARD_HEADERS), _C / "bench_main.c"):
        shutil.copyfile(path, folder / path.name)
    if target.machine:
        (folder / "board.ld").write_text(linker_script(target, external=external))
