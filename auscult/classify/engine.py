"""What classifies a stream of 16-bit samples: a bundle's int8 model in LiteRT, or the C that becomes of it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from auscult.classify.front_end import StreamFrontEnd
from auscult.int8_bundle import RUNTIME_OF_ROUNDING
from export.bundle.opening import Bundle
from lungsound.errors import InputError
from lungsound.terminal import activity

ENGINES = ("litert", "c")

Hear = Callable[[NDArray[np.int16]], NDArray[np.int8]]
"""Takes the next samples; returns the output codes [n, labels] of the windows that end in them."""


class Engine(Protocol):
    """Something that hears."""

    def listening(self) -> AbstractContextManager[Hear]:
        """Begin a stream."""
        ...


class LiteRTEngine:
    """A bundle's .tflite in LiteRT, behind the front end in Python.

    Parameters
    ----------
    bundle : Bundle
        With a .tflite.
    rounding : {"single", "double"}
        As XNNPACK rounds, or as LiteRT's reference kernels.
    """

    def __init__(self, bundle: Bundle, rounding: str) -> None:
        self._manifest = bundle.manifest
        self._runtime = bundle.load(RUNTIME_OF_ROUNDING[rounding])

    @contextmanager
    def listening(self) -> Iterator[Hear]:
        """See :class:`Engine`."""
        assert self._manifest.input is not None  # as open_engine has checked
        front_end = StreamFrontEnd(self._manifest.listening, self._manifest.input)
        yield lambda pcm: self._runtime.run(front_end.push(pcm))


def open_engine(bundle: Bundle, engine: str, rounding: str, cache: Path) -> Engine:
    """Load what runs a bundle.

    Parameters
    ----------
    bundle : Bundle
        Read from disk.
    engine : {"litert", "c"}
        What runs it.
    rounding : {"single", "double"}
        How it rounds.
    cache : Path
        Where the program lies that the C becomes.

    Raises
    ------
    InputError
        If the engine or the rounding is unknown, the bundle holds no .tflite, or it cannot become C.
    """
    if engine not in ENGINES:
        raise InputError(f"--engine {engine}: choose {' or '.join(ENGINES)}")
    if rounding not in RUNTIME_OF_ROUNDING:
        raise InputError(f"--rounding {rounding}: choose {' or '.join(RUNTIME_OF_ROUNDING)}")
    if bundle.manifest.threshold_codes is None or bundle.manifest.input is None:
        raise InputError(f"{bundle.path}: holds no .tflite; export the run again with --int8 tflite")
    if engine == "litert":
        return LiteRTEngine(bundle, rounding)
    with activity() as doing:
        doing("building the C")
        from firmware_bridge.host import HostListener

        return HostListener(bundle.path, rounding, cache)
