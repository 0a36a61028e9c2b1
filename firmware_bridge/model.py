"""What firmware is made of: a bundle, or a bare .tflite file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from export.bundle import Bundle, Int8Format
from export.manifest import TFLITE_FILE, Manifest, Quantization
from firmware_bridge.graph import Graph, Tensor
from firmware_bridge.plan import Network, plan_network
from firmware_bridge.tflite_reader import parse_tflite
from lungsound.errors import InputError
from lungsound.listening import Listening


@dataclass(frozen=True)
class Model:
    """A checked int8 model, with what it listens to if that is known.

    Attributes
    ----------
    path : Path
        Folder of the bundle, or the file.
    content : bytes
        The .tflite.
    graph : Graph
        What it says.
    bundle : Bundle or None
        None for a bare file, which becomes a network without front end.
    """

    path: Path
    content: bytes
    graph: Graph
    bundle: Bundle | None = None

    @classmethod
    def open(cls, path: Path) -> Self:
        """Read a bundle's folder or a .tflite file.

        Raises
        ------
        InputError
            If it is neither, is damaged, or the bundle's log-mel is not what its model takes.
        """
        if not path.is_dir():
            content = _read(path)
            return cls(path, content, parse_tflite(path.name, content))
        bundle = Bundle.open(path)
        if TFLITE_FILE not in bundle.contents or bundle.manifest.threshold_codes is None:
            raise InputError(f"{path}: holds no {TFLITE_FILE}; export the run again with --int8 {Int8Format.TFLITE}")
        content = bundle.contents[TFLITE_FILE]
        return cls(path, content, parse_tflite(f"{path.resolve().name}/{TFLITE_FILE}", content), bundle)

    @property
    def listening(self) -> Listening | None:
        """The window of sound and its log-mel; None for a bare file."""
        return self.bundle.manifest.listening if self.bundle else None

    def plan(self, kernels: str, rounding: str) -> Network:
        """Lay the network out, and hold it against the bundle's log-mel.

        Raises
        ------
        InputError
            If an operator cannot become firmware, or the input tensor is not the log-mel.
        """
        network = plan_network(self.graph, kernels, rounding)
        if self.bundle is not None:
            _check_input(network, self.bundle.manifest)
            _check_output(network, self.bundle.manifest)
        return network


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); name a bundle or a .tflite file") from error


def _check_input(network: Network, manifest: Manifest) -> None:
    graph, listening = network.graph, manifest.listening
    tensor, stream = graph.tensors[graph.inputs[0]], network.program.streams[network.program.input]
    due = (listening.frames, listening.logmel.n_mels)
    if (stream.rows, stream.width) != due:
        raise InputError(
            f"{graph.name}: input tensor '{tensor.name}' takes {stream.rows} rows of {stream.width} values where the "
            f"log-mel has {due[0]} frames of {due[1]} bands; export the run again"
        )
    _check_scale(graph.name, "input", tensor, manifest.input)


def _check_output(network: Network, manifest: Manifest) -> None:
    graph, labels = network.graph, manifest.listening.labels
    tensor = graph.tensors[graph.outputs[0]]
    if tensor.size != len(labels):
        raise InputError(
            f"{graph.name}: output tensor '{tensor.name}' has {tensor.size} values for the labels {', '.join(labels)}; "
            "export the run again"
        )
    _check_scale(graph.name, "output", tensor, manifest.output)


def _check_scale(name: str, role: str, tensor: Tensor, due: Quantization | None) -> None:
    if due is None or (tensor.scale, tensor.zero_point) != (due.scale, due.zero_point):
        raise InputError(
            f"{name}: {role} tensor '{tensor.name}' has scale {tensor.scale} and zero point {tensor.zero_point} where "
            f"the manifest has {due}; export the run again"
        )
