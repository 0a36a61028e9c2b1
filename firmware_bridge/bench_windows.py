"""The windows that a benchmark hears, as files for the program, and as what its network was given."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.device.qemu import Run
from firmware_bridge.folder.golden import golden_windows
from firmware_bridge.plan.footprint import Footprint
from firmware_bridge.plan.network import Network
from lungsound.listening import Listening

WINDOWS = 5
"""That bench_main.c hears in a session; bench_stream.c hears one sound of as many, and decides every hop of it."""

_SOUNDS = [0, 2, 5, 6, 7]  # of an interface's: silence, breath, breath with clicks and a whistle, clipped, full scale


def heard_files(footprint: Footprint) -> dict[str, bytes]:
    """Return the files that a program hears, by name."""
    interface = footprint.model.interface
    if interface is None:
        return {"rows.bin": random_windows(footprint.network).tobytes()}
    sounds = {"samples.bin": interface.sounds()[_SOUNDS].tobytes()}
    apart = footprint.overlapping and interface.listening.logmel.padding == "reflect"
    return sounds | {"pieces.bin": windows_of_sound(footprint).tobytes()} if apart else sounds


def random_windows(network: Network) -> NDArray[np.int8]:
    """Return the golden windows (random, lowest, highest, random extremes) and one more at random."""
    source = network.program.streams[network.program.input]
    values = source.rows * source.width
    more = np.random.default_rng(0).integers(-128, 128, (1, values), np.int8)
    return np.concatenate([golden_windows(values), more])


def windows_of_sound(footprint: Footprint) -> NDArray[np.int16]:
    """Return the windows of sound that are decided, each cut out: [n, samples]."""
    interface = footprint.model.interface
    assert interface is not None
    sounds, listening = interface.sounds()[_SOUNDS], interface.listening
    if not footprint.overlapping:
        return sounds
    return np.lib.stride_tricks.sliding_window_view(sounds.reshape(-1), listening.samples)[:: listening.hop_samples]


def codes_of_windows(footprint: Footprint, made: Run) -> NDArray[np.int8]:
    """Return what the network was given for each window, [n, values]."""
    interface = footprint.model.interface
    if interface is None:
        return random_windows(footprint.network)
    return _windows_of_rows(footprint, interface.listening, np.frombuffer(made.files["codes.bin"], np.int8))


def reference_codes(footprint: Footprint) -> NDArray[np.int8]:
    """Return what Python makes of the windows of sound that are decided, [n, values]; of one where they overlap."""
    interface = footprint.model.interface
    assert interface is not None
    pcm, listening = windows_of_sound(footprint), interface.listening
    if _one_stream_of_rows(footprint, listening):
        pcm = interface.sounds()[_SOUNDS].ravel()
        whole = replace(listening, seconds=len(pcm) / listening.logmel.sample_rate)
        interface = replace(interface, listening=whole)
    return _windows_of_rows(footprint, listening, interface.codes(pcm).ravel())


def _one_stream_of_rows(footprint: Footprint, listening: Listening) -> bool:
    return footprint.overlapping and listening.logmel.padding == "none"


def _windows_of_rows(footprint: Footprint, listening: Listening, codes: NDArray[np.int8]) -> NDArray[np.int8]:
    """Return the codes of each window, [n, values], of windows one after the other or of one stream."""
    values = listening.frames * listening.logmel.n_mels
    if not _one_stream_of_rows(footprint, listening):
        return codes.reshape(-1, values)
    hop = listening.hop_frames * listening.logmel.n_mels
    return np.lib.stride_tricks.sliding_window_view(codes, values)[::hop]
