"""A folder that compiles by itself: network, front end, listener, golden vectors, self-tests, build files, README."""

import shlex
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from firmware_bridge.c.rendering import render
from firmware_bridge.device.qemu import BOARDS, board_sources, linker_script, runner
from firmware_bridge.device.targets import Target
from firmware_bridge.folder.emit import kernel_files, write_network
from firmware_bridge.folder.golden import golden_windows, litert_outputs
from firmware_bridge.folder.naming import put_name
from firmware_bridge.folder.written_files import REPORT_FILE, hashes
from firmware_bridge.plan.footprint import Footprint
from firmware_bridge.plan.model import Model
from firmware_bridge.plan.network import Network, report, report_text
from firmware_bridge.sound.frontend import write_frontend
from firmware_bridge.sound.interface import SoundInterface
from firmware_bridge.sound.listener import Pace, label_constants, write_listener
from lungsound.files.plain_json import dumps
from lungsound.files.versions import own_version
from lungsound.recording_mean import frames_remembered

_BOARD_FILES = ("board.h", "bare_metal.h", "bench_input.h", "bench_main.c")
_GOLDEN_SOUNDS = [5, 7]  # of an interface's sounds: breath with clicks and a whistle, noise at full scale
_GOLDEN_FRAMES = 32

_TEXT: Any = {"encoding": "utf-8", "errors": "backslashreplace"}
"""How a file is written that names the model: its path may hold bytes that are no text."""


def write_folder(folder: Path, footprint: Footprint, target: Target, name: str = "") -> list[str]:
    """Write everything that `target` needs to run a model, and to test and measure that it does.

    Parameters
    ----------
    folder : Path
        An existing, empty folder.
    footprint : Footprint
        The model, its layout, and whether windows overlap.
    target : Target
        The core that build files and tests are for.
    name : str
        From `check_name`; stands before every symbol and file of the application, so that others link beside it.

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
    application = [path.name for path in folder.iterdir()]
    facts = report(network) | {"target": target.name, "application": footprint.facts()} | _identity(model)
    text = f"{footprint.text()}\n\n{report_text(report(network))}"
    (folder / "report.txt").write_text(text, **_TEXT)
    _write_golden(folder, model.content, network)
    tests = ["self_test.c"]
    if model.interface:
        _write_golden_sound(folder, model.interface)
        tests.append("self_test_sound.c")
    for test in tests:
        shutil.copyfile(BOARDS / test, folder / test)
    build = _build_values(target) | {"sources": sources, "tests": tests, "sound": model.interface is not None}
    build["library"] = f"{name}_auscult" if name else "auscult"
    external = target.wants_external_flash(sum(footprint.flash.values()))
    _write_board(folder / "board", target, external=external)
    for file in ("Makefile", "CMakeLists.txt"):
        (folder / file).write_text(render(file, **build))
    (folder / "README.md").write_text(
        render("firmware_README.md", report=text, external=external, **build, **_readme_values(footprint, target)),
        **_TEXT,
    )
    if name:
        renamed = put_name(folder, name, application)
        sources = [renamed[source] for source in sources]
    (folder / REPORT_FILE).write_text(dumps(facts | {"name": name, "files": hashes(folder)}))
    return sources


def how_to_test(folder: Path, footprint: Footprint, target: Target) -> str:
    """Return what to do with a written folder, or why its self-tests cannot run here."""
    machine = target.machine
    if machine is None or footprint.testable_on(machine):
        return f"`make -C {shlex.quote(str(folder))}` tests it"
    return (
        f"its self-tests do not fit {machine.name}, the machine of QEMU that stands for {target.core} "
        f"with {machine.ram.size} bytes of RAM and {machine.code.size} of flash; a larger device may hold them"
    )


def write_sources(folder: Path, footprint: Footprint) -> list[str]:
    """Write the C files of the application alone; returns those to be compiled, by name. Raises as `write_folder`."""
    model, network = footprint.model, footprint.network
    write_network(folder, network, model.sha256)
    sources = [name for name in ("net.c", *kernel_files(network)) if name.endswith(".c")]
    interface = model.interface
    if interface is None:
        return sources
    listening = interface.listening
    written = write_frontend(folder, listening.logmel, interface.input.scale, interface.input.zero_point)
    written += write_listener(
        folder,
        listening,
        interface.threshold_codes,
        overlapping=footprint.overlapping,
        shared=network.split is not None,
        abstention=interface.abstention,
    )
    return sources + [path.name for path in written]


def _identity(model: Model) -> dict[str, Any]:
    """Return which model was generated by what, and the window it hears."""
    listening = model.interface.listening if model.interface else None
    return {
        "auscult": own_version(),
        "tflite_sha256": model.sha256,
        "teacher_licence": model.licence,
        "seconds": listening.seconds if listening else None,
        "sample_rate": listening.logmel.sample_rate if listening else None,
    }


def _readme_values(footprint: Footprint, target: Target) -> dict[str, Any]:
    """Return what the README alone says."""
    model, network, interface = footprint.model, footprint.network, footprint.model.interface
    program, graph = network.program, network.graph
    shares = report(network)["shares_after_last_push"]
    values = {
        "model": model,
        "network": network,
        "footprint": footprint,
        "interface": interface,
        "input": program.streams[program.input],
        "output": program.streams[program.output],
        "version": own_version(),
        "testable": footprint.testable_on(target.machine),
        "shares": shares,
    }
    if interface is None:
        return values
    made = graph.tensors[graph.outputs[0]]
    pace = Pace.of(interface.listening, shares, overlapping=footprint.overlapping) if network.push_limit else None
    logits = [(code - made.zero_point) * made.scale for code in interface.threshold_codes]
    logmel = interface.listening.logmel
    return values | {
        "pace": pace,
        "logits": logits,
        "constants": label_constants(interface.listening.labels),
        "mean_seconds": frames_remembered(logmel) * logmel.hop / logmel.sample_rate,
    }


def _write_golden(folder: Path, content: bytes, network: Network) -> None:
    source = network.program.streams[network.program.input]
    outputs = litert_outputs(content, network.rounding, golden_windows(source.rows * source.width), network.graph.name)
    (folder / "golden.h").write_text(render("golden.h", golden=outputs.tolist()))


def _write_golden_sound(folder: Path, interface: SoundInterface) -> None:
    """Write the first frames of some made-up windows, and the codes that Python makes of them."""
    listening, sounds = interface.listening, interface.sounds()[_GOLDEN_SOUNDS]
    spec = listening.logmel
    samples = min(listening.samples, spec.n_fft + _GOLDEN_FRAMES * spec.hop)
    ahead = spec.n_fft // 2 + 1 if spec.padding == "reflect" else spec.n_fft
    frames = (samples - ahead) // spec.hop + 1
    if spec.normalisation == "recording":  # what is left out does not count in the mean either
        sounds = sounds[:, :samples]
        interface = replace(interface, listening=replace(listening, seconds=samples / spec.sample_rate))
    codes = interface.codes(sounds)[:, :frames].reshape(len(sounds), -1)
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
    for path in (*board_sources(target), *(BOARDS / name for name in _BOARD_FILES)):
        shutil.copyfile(path, folder / path.name)
    if target.machine:
        (folder / "board.ld").write_text(linker_script(target, external=external))
