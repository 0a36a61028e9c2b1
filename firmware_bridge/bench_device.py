#!/usr/bin/env python3
"""Check and time a bundle on a Linux board. This one file and a bundle are all it takes.

    scp bench_device.py board:    scp -r BUNDLE board:    ssh board python3 bench_device.py BUNDLE

It needs Python 3.9, NumPy, and ai-edge-litert or tflite-runtime; the folder lungsound beside it and Python 3.11 where
a log-mel is normalised over the recording or has pre-emphasis. It verifies hashes and golden vectors, then times
initialisation, warm-up and steady state, the front end apart from the network, one window at a time.

JSON keys (--json): bundle, board, platform, runtime, threads, runs, golden (windows, differing_codes,
reference_differing_bytes, differing_bytes and largest_difference of the kernels that are timed, differing_decisions),
init_ms (load the model, prepare the front end), first_ms, warm_up_ms (median of the next runs), front_end and network
(median_ms, p95_ms, max_ms), drift (median of the last fifth over that of the first), share_of_hop (of the time between
two windows of a stream), peak_bytes, before and after (temperature_c and frequency_mhz by sensor and core, throttled).
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import io
import json
import math
import platform
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

FORMAT, WARM_UP, OURS = 1, 10, ("front_end", "listening", "quantization")
MODEL, GOLDEN, MANIFEST = "model_int8.tflite", "golden.npz", "manifest.json"


class Refused(Exception):
    """Something is wrong with the bundle or the board; the message is one sentence."""


def front_end_of(manifest: dict[str, Any]) -> Callable[[np.ndarray], np.ndarray]:
    """Return what turns int16 windows [..., samples] into int8 codes [..., frames, n_mels], as the manifest says."""
    heard, codes = manifest["listening"], manifest["input"]
    unusual = {"kaldi", "symmetric", "recording", "magnitude"} & {*heard["logmel"].values()}
    if not (unusual or any(map(heard["logmel"].get, ("preemphasis", "speed")))):
        return FrontEnd(manifest)
    try:
        ours, listening, quantization = (importlib.import_module(f"lungsound.{name}") for name in OURS)
    except ImportError as error:
        raise Refused(f"its log-mel needs the folder lungsound beside this file, and Python 3.11 ({error})") from error
    return partial(ours.front_end, listening.Listening.from_dict(heard), quantization.Quantization(**codes))


class FrontEnd:
    """PCM to int8 log-mel codes in float64, for the usual log-mels."""

    def __init__(self, manifest: dict[str, Any]) -> None:
        self._spec, self._codes = manifest["listening"]["logmel"], manifest["input"]
        n_fft, window = self._spec["n_fft"], self._spec["window"]
        hann = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(window) / window)
        left = (n_fft - window) // 2
        self._window = np.pad(hann, (left, n_fft - window - left))
        filters = _mel_filters(self._spec)
        most = max(1, (filters > 0.0).sum(axis=0).max())
        taps = (filters > 0.0).argmax(axis=0) + np.arange(most)[:, None]  # those beyond the last bin weigh nothing
        self._bins = np.minimum(taps, len(filters) - 1)
        self._weights = np.where(taps < len(filters), np.take_along_axis(filters, self._bins, axis=0), 0.0)

    def __call__(self, pcm: np.ndarray) -> np.ndarray:
        """Turn int16 windows [..., samples] into int8 codes [..., frames, n_mels]."""
        spec, power = self._spec, self.mel_power(pcm)
        db, floor = spec["log"] == "db", spec["floor"]
        logmel = 10.0 * np.log10(np.maximum(power, floor)) if db else np.log(power + floor)
        codes = np.rint((logmel - spec["mean"]) / spec["std"] / self._codes["scale"]) + self._codes["zero_point"]
        return np.asarray(np.clip(codes, -128, 127), np.int8)

    def mel_power(self, pcm: np.ndarray) -> np.ndarray:
        """Return mel power [..., frames, n_mels], summed bin by bin as auscult does: a product's threads would wait."""
        spec, signal = self._spec, pcm.astype(np.float64) / 32768.0
        half = spec["n_fft"] // 2 if spec["padding"] == "reflect" else 0
        signal = np.pad(signal, [(0, 0)] * (signal.ndim - 1) + [(half, half)], mode="reflect")
        framed = np.lib.stride_tricks.sliding_window_view(signal, spec["n_fft"], axis=-1)[..., :: spec["hop"], :]
        spectrum = np.fft.rfft(framed * self._window, axis=-1)
        power = spectrum.real**2 + spectrum.imag**2
        return np.asarray(sum(power[..., bins] * self._weights[tap] for tap, bins in enumerate(self._bins)))


def _mel_filters(spec: dict[str, Any]) -> np.ndarray:
    """Return triangular filters, [n_fft // 2 + 1, n_mels], on the HTK or the Slaney scale."""
    htk, step = spec["mel_scale"] == "htk", 27.0 / math.log(6.4)

    def mel(hertz: float) -> float:
        slaney = 3.0 * hertz / 200.0 if hertz < 1000.0 else 15.0 + step * math.log(hertz / 1000.0)
        return 2595.0 * math.log10(1.0 + hertz / 700.0) if htk else slaney

    mels = np.linspace(mel(spec["f_min"]), mel(spec["f_max"]), spec["n_mels"] + 2)
    edges = np.where(mels < 15.0, 200.0 * mels / 3.0, 1000.0 * np.exp((mels - 15.0) / step))
    edges = 700.0 * (10.0 ** (mels / 2595.0) - 1.0) if htk else edges
    hertz = np.arange(spec["n_fft"] // 2 + 1)[:, None] * (spec["sample_rate"] / spec["n_fft"])
    rising = (hertz - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - hertz) / (edges[2:] - edges[1:-1])
    filters = np.maximum(0.0, np.minimum(rising, falling))
    return np.asarray(filters * (2.0 / (edges[2:] - edges[:-2])) if spec["area_norm"] else filters)


class Bundle:
    """What of a bundle a board needs, every byte of it verified."""

    def __init__(self, path: Path) -> None:
        text = _read(path / MANIFEST)
        try:
            manifest = json.loads(text)
            if manifest["format"] != FORMAT:
                raise Refused(f"{path / MANIFEST}: format {manifest['format']!r}, this script reads {FORMAT}")
            seal = str(manifest["sha256"]).encode()
            if hashlib.sha256(text.replace(seal, b"0" * 64, 1)).hexdigest().encode() != seal:
                raise Refused(f"{path / MANIFEST}: its text does not have its sha256; copy the bundle again")
            if MODEL not in manifest["files"]:
                raise Refused(f"{path}: holds no {MODEL}; export the run again with --int8 tflite")
            self.manifest = manifest
            self.model, content = (_read(path / name, manifest["files"][name]) for name in (MODEL, GOLDEN))
            with np.load(io.BytesIO(content), allow_pickle=False) as stored:
                self.golden = {name: stored[name] for name in ("pcm", "codes", "litert_reference", "litert_xnnpack")}
            self.thresholds = np.asarray(manifest["threshold_codes"], np.int64)
            self.hop_ms = 1e3 * float(manifest["listening"]["hop_seconds"])
            front_end = front_end_of(manifest)(self.golden["pcm"][:1])
            if front_end.shape != self.golden["codes"][:1].shape or not self.hop_ms > 0:
                raise Refused(f"{path}: manifest and golden vectors do not fit together; export the run again")
        except (KeyError, TypeError, ValueError, RecursionError, EOFError, zipfile.BadZipFile) as error:
            raise Refused(f"{path}: not a bundle this script reads ({type(error).__name__}: {error})") from error


def _read(file: Path, facts: dict[str, Any] | None = None) -> bytes:
    """Return a file's bytes; refuse them if they are not those of the manifest's facts."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise Refused(f"{file}: {error.strerror}; name the folder of a bundle and copy it whole") from error
    if facts is not None and (len(content), hashlib.sha256(content).hexdigest()) != (facts["size"], facts["sha256"]):
        raise Refused(f"{file}: not the bytes that the manifest describes; copy the bundle again")
    return content


class Network:
    """The int8 model in whichever runtime the board has."""

    def __init__(self, bundle: Bundle, threads: int, kernels: str = "AUTO") -> None:
        runtime = runtime_module()
        resolver = {"experimental_op_resolver_type": runtime.OpResolverType[kernels]}
        try:
            self._interpreter = runtime.Interpreter(model_content=bundle.model, num_threads=threads, **resolver)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            reason = str(error).partition("\n")[0]
            raise Refused(f"{MODEL}: not a model that {runtime.__name__} runs ({reason})") from error
        self._input = self._interpreter.get_input_details()[0]
        self._output = self._interpreter.get_output_details()[0]["index"]
        if self._input["dtype"] != np.int8 or np.prod(self._input["shape"]) != bundle.golden["codes"][0].size:
            raise Refused(f"{MODEL}: does not take the manifest's int8 log-mel; export the run again")

    def __call__(self, codes: np.ndarray) -> np.ndarray:
        """Run one window of int8 codes [frames, n_mels]; return int8 [labels]."""
        self._interpreter.set_tensor(self._input["index"], codes.reshape(self._input["shape"]))
        self._interpreter.invoke()
        return np.asarray(self._interpreter.get_tensor(self._output)).ravel()


def runtime_module() -> Any:
    """Import LiteRT's interpreter, or its predecessor's."""
    for package in ("ai_edge_litert", "tflite_runtime"):
        try:
            return importlib.import_module(f"{package}.interpreter")
        except ImportError:
            continue
    raise Refused("neither ai-edge-litert nor tflite-runtime is installed here; install one of them with pip")


def replay(bundle: Bundle, front_end: Callable[[np.ndarray], np.ndarray], network: Network) -> dict[str, int]:
    """Hold golden vectors against front end and kernels, bit for bit; the timed ones owe the same decisions alone."""
    golden, reference = bundle.golden, Network(bundle, 1, "BUILTIN_REF")
    twice, once = (np.stack([run(codes) for codes in golden["codes"]]).astype(int) for run in (reference, network))
    stored = golden["litert_xnnpack"].astype(int)
    found = {
        "windows": len(golden["pcm"]),
        "differing_codes": int((front_end(golden["pcm"]) != golden["codes"]).sum()),
        "reference_differing_bytes": int((twice != golden["litert_reference"]).sum()),
        "differing_bytes": int((once != stored).sum()),
        "largest_difference": int(np.abs(once - stored).max()),
        "differing_decisions": int(((once >= bundle.thresholds) != (stored >= bundle.thresholds)).sum()),
    }
    for key in ("differing_codes", "reference_differing_bytes", "differing_decisions"):
        if found[key]:
            raise Refused(f"golden vectors: {found[key]} {key.replace('_', ' ')} on this board; do not trust it")
    return found


def timed(work: Callable[..., object], *given: object) -> float:
    """Return the milliseconds of one call."""
    begun = time.perf_counter_ns()
    work(*given)
    return (time.perf_counter_ns() - begun) / 1e6


def measure(path: Path, runs: int, threads: int) -> dict[str, Any]:
    """Check and time a bundle; the module's docstring lists the keys."""
    bundle = Bundle(path)
    golden, begun = bundle.golden, time.perf_counter_ns()
    network, front_end = Network(bundle, threads), front_end_of(bundle.manifest)
    init_ms = (time.perf_counter_ns() - begun) / 1e6
    first_ms, *warm_up = (timed(lambda: network(front_end(golden["pcm"][0]))) for _ in range(1 + WARM_UP))
    peak = peak_bytes()  # before the reference kernels add theirs
    checked = replay(bundle, front_end, network)
    before = condition()
    times = np.empty((2, runs))
    for run in range(runs):
        pcm, codes = (golden[name][run % len(golden["pcm"])] for name in ("pcm", "codes"))
        times[:, run] = timed(front_end, pcm), timed(network, codes)
    tree, both, fifth = Path("/proc/device-tree/model"), times.sum(axis=0), max(1, runs // 5)
    board = tree.read_text(errors="replace").rstrip("\0\n") if tree.is_file() else platform.processor() or "?"
    software = f"{platform.machine()}, Python {platform.python_version()}, NumPy {np.__version__}"
    runtime = runtime_module().__name__.partition(".")[0]
    found = {"bundle": str(path), "board": board, "platform": software, "runtime": runtime, "threads": threads}
    found |= {"runs": runs, "golden": checked, "init_ms": init_ms, "first_ms": first_ms}
    found |= {"warm_up_ms": float(np.median(warm_up)), "front_end": spread(times[0]), "network": spread(times[1])}
    found |= {"drift": float(np.median(both[-fifth:]) / np.median(both[:fifth]))}
    found |= {"share_of_hop": float(np.median(both)) / bundle.hop_ms, "peak_bytes": peak}
    return found | {"before": before, "after": condition()}


def spread(times: np.ndarray) -> dict[str, float]:
    """Return median, 95th percentile and maximum of milliseconds."""
    return {name: float(np.percentile(times, at)) for name, at in (("median_ms", 50), ("p95_ms", 95), ("max_ms", 100))}


def condition() -> dict[str, Any]:
    """Return what the board tells of its temperature, clocks and throttling; empty or null where it does not."""
    zones = Path("/sys/class/thermal").glob("thermal_zone*/temp")
    cores = Path("/sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_cur_freq")
    return {
        "temperature_c": {file.parts[-2]: thousandth(file) for file in sorted(zones)},
        "frequency_mhz": {file.parts[-3]: thousandth(file) for file in sorted(cores)},
        "throttled": throttled(),
    }


def thousandth(file: Path) -> float | None:
    """Return a thousandth of the number in a file of /sys, None where it cannot be read."""
    try:
        return int(file.read_text()) / 1000
    except (OSError, ValueError):
        return None


def throttled() -> str | None:
    """Return the Raspberry Pi's own word on throttling (0x0: none since it started), None on other boards."""
    try:
        return subprocess.check_output(["vcgencmd", "get_throttled"], text=True, timeout=5).strip().rpartition("=")[2]
    except (OSError, subprocess.SubprocessError):
        return None


def peak_bytes() -> int:
    """Return the most resident memory this process held, as Linux tells it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def described(value: Any) -> str:
    """Return a value of the report for people."""
    if isinstance(value, dict):
        return ", ".join(f"{name.replace('_', ' ')} {described(item)}" for name, item in value.items())
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path, help="folder of a bundle")
    parser.add_argument("--runs", type=int, default=200, help="windows of the steady state (200)")
    parser.add_argument("--threads", type=int, default=1, help="threads of the network (1)")
    parser.add_argument("--json", action="store_true", help="print one JSON object on stdout instead of text")
    asked = parser.parse_args(arguments)
    if asked.runs < 1 or asked.threads < 1:
        parser.error("--runs and --threads must be at least 1")
    try:
        report = measure(asked.bundle, asked.runs, asked.threads)
    except Refused as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    lines = [f"{name.replace('_', ' ')}: {described(value)}" for name, value in report.items()]
    print(json.dumps(report, indent=2) if asked.json else "\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
