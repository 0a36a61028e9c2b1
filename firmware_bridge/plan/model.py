"""What firmware is made of: a bundle, or an int8 .tflite file with or without what it listens to."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from export.bundle.manifest import TFLITE_FILE
from export.bundle.opening import Bundle, Int8Format
from firmware_bridge.compile.operators import check_operators
from firmware_bridge.plan.network import Network, plan_network
from firmware_bridge.sound.interface import SoundInterface
from firmware_bridge.tflite.graph import Graph
from firmware_bridge.tflite.reader import IDENTIFIED, check_identifier, parse_tflite
from lungsound.errors import InputError
from lungsound.listening import Listening

_LARGEST_MODEL = 1 << 28  # bytes; no core that firmware is built for holds the weights of a larger one


@dataclass(frozen=True)
class Model:
    """A checked int8 model, with what it listens to if that is known.

    Attributes
    ----------
    path : Path
        Folder of the bundle, or the file; of a model that lies nowhere, what it is called.
    content : bytes
        The .tflite.
    graph : Graph
        What it says.
    interface : SoundInterface or None
        None for a file alone, which becomes a network without front end.
    width : float or None
        Of a bundle's student, relative to the published network's channels.
    licence : str or None
        Of a bundle's teacher.
    """

    path: Path
    content: bytes
    graph: Graph
    interface: SoundInterface | None = None
    width: float | None = None
    licence: str | None = None

    @property
    def sha256(self) -> str:
        """Of the .tflite."""
        return hashlib.sha256(self.content).hexdigest()

    @classmethod
    def open(cls, path: Path, listening: Path | None = None, *, overlapping: bool = False) -> Self:
        """Read a bundle's folder or a .tflite file.

        Parameters
        ----------
        path : Path
            The folder or the file.
        listening : Path, optional
            For a .tflite file: the JSON file that `SoundInterface.read` reads.
        overlapping : bool
            Whether its windows are to overlap, which takes a model that listens.

        Raises
        ------
        InputError
            If it is neither, is damaged, or what it listens to is not readable or belongs to another model.
        """
        model = cls._open(path, listening)
        if overlapping and model.interface is None:
            raise InputError(f"{path}: does not say what it listens to; --overlapping needs a bundle or --listening")
        return model

    @classmethod
    def of_content(cls, path: Path, content: bytes, listening: Listening, width: float) -> Self:
        """Take an int8 .tflite that nobody has written, of a student that is not trained.

        Parameters
        ----------
        path : Path
            What it is called in sentences.
        content : bytes
            The .tflite.
        listening : Listening
            What it listens to.
        width : float
            Of the student, relative to the published network's channels.

        Raises
        ------
        InputError
            If an operator cannot become firmware.
        """
        graph = _graph(str(path), content)
        thresholds = (0.0,) * len(listening.labels)
        return cls(path, content, graph, SoundInterface.of_graph(graph, listening, thresholds), width)

    @classmethod
    def _open(cls, path: Path, listening: Path | None) -> Self:
        if not path.is_dir():
            content = _read(path)
            graph = _graph(path.name, content)
            return cls(path, content, graph, SoundInterface.read(listening, graph) if listening else None)
        if listening is not None:
            raise InputError(f"{path}: a bundle says itself what it listens to; leave {listening} out")
        bundle = Bundle.open(path)
        if (front_end := bundle.manifest.front_end) is not None:
            raise InputError(f"{path}: {front_end}; for firmware train a student with --front-end logmel")
        if TFLITE_FILE not in bundle.contents:
            raise InputError(f"{path}: holds no {TFLITE_FILE}; export the run again with --int8 {Int8Format.TFLITE}")
        content = bundle.contents[TFLITE_FILE]
        graph = _graph(f"{path.resolve().name}/{TFLITE_FILE}", content)
        width = bundle.manifest.student.get("width")
        interface = SoundInterface.of_bundle(bundle.manifest, graph)
        licence = bundle.manifest.teacher["licence"]
        return cls(path, content, graph, interface, width if isinstance(width, float) else None, licence)

    def plan(self, kernels: str, rounding: str, push_limit: int = 0) -> Network:
        """Lay the network out, and hold it against what it listens to.

        Parameters
        ----------
        kernels, rounding, push_limit : str, str, int
            See `plan_network`.

        Raises
        ------
        InputError
            If an operator cannot become firmware, or the input tensor is not the log-mel.
        """
        network = plan_network(self.graph, kernels, rounding, push_limit)
        if self.interface is not None:
            source = network.program.streams[network.program.input]
            self.interface.check(network.graph, source.rows, source.width)
        return network


def _graph(name: str, content: bytes) -> Graph:
    graph = parse_tflite(name, content)
    check_operators(graph)
    return graph


def _read(path: Path) -> bytes:
    try:
        # What is no file, a pipe or a device, might never end, and opening it might never return.
        if path.exists() and not path.is_file():
            raise InputError(f"{path}: is no file; name a bundle or a .tflite file")
        with path.open("rb") as file:
            start = file.read(IDENTIFIED)
            check_identifier(path.name, start)
            size = os.fstat(file.fileno()).st_size
            if size > _LARGEST_MODEL:
                raise InputError(
                    f"{path}: has {size} bytes, and firmware takes {_LARGEST_MODEL} at most; export a smaller model"
                )
            return start + file.read()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); name a bundle or a .tflite file") from error
