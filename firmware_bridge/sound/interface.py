"""What joins a network to sound: the window, the codes of its log-mel, and the output codes that give a label."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from export.bundle.golden import golden_pcm
from export.bundle.manifest import Manifest
from firmware_bridge.sound.frontend import frontend_tables
from firmware_bridge.tflite.graph import Graph
from lungsound.errors import InputError
from lungsound.front_end import front_end
from lungsound.listening import Listening, read_listening
from lungsound.quality.abstention import Abstention
from lungsound.quantization import Quantization


@dataclass(frozen=True)
class SoundInterface:
    """How a network hears and decides.

    Attributes
    ----------
    listening : Listening
        The window of sound, its log-mel, and the order of the labels.
    input : Quantization
        Of the normalised log-mel.
    threshold_codes : tuple of int
        Output codes at and above which a label is given; 128 never.
    abstention : Abstention or None
        When to listen again; None gives every window an answer.
    """

    listening: Listening
    input: Quantization
    threshold_codes: tuple[int, ...]
    abstention: Abstention | None = None

    @classmethod
    def of_bundle(cls, manifest: Manifest, graph: Graph) -> Self:
        """Take it from a bundle's manifest, and hold that against the model.

        Raises
        ------
        InputError
            If the manifest belongs to another model.
        """
        for role, (index,), due in (
            ("input", graph.inputs, manifest.input),
            ("output", graph.outputs, manifest.output),
        ):
            found = _quantization(graph, index)
            if found != due:
                raise InputError(
                    f"{graph.name}: its {role} has {found} where the manifest has {due}; export the run again"
                )
        assert manifest.input is not None  # the model has an int8 input
        return cls(manifest.listening, manifest.input, manifest.threshold_codes or (), manifest.abstention)

    @classmethod
    def read(cls, file: Path, graph: Graph) -> Self:
        """Read a JSON file about a model from elsewhere; scales come from the model itself.

        Parameters
        ----------
        file : Path
            With the keys ``listening`` and ``thresholds`` as a bundle's manifest has them: logmel, seconds,
            hop_seconds and labels; and the output value at and above which each label is given.
        graph : Graph
            The model.

        Raises
        ------
        InputError
            See :func:`lungsound.listening.read_listening`.
        """
        return cls.of_graph(graph, *read_listening(file))

    @classmethod
    def of_graph(cls, graph: Graph, listening: Listening, thresholds: Sequence[float]) -> Self:
        """Take scales from a model itself; `thresholds` are the output values that give each label."""
        given, made = (_quantization(graph, index) for index in (graph.inputs[0], graph.outputs[0]))
        return cls(listening, given, made.threshold_codes(thresholds))

    def check(self, graph: Graph, rows: int, width: int) -> None:
        """Hold the window against the network's input, the labels against its output, and the log-mel against integers.

        Parameters
        ----------
        graph : Graph
            The model.
        rows, width : int
            Of its input: rows of a window, values of a row.

        Raises
        ------
        InputError
            If one does not fit the other, or the front end cannot be computed in integers.
        """
        due = (self.listening.frames, self.listening.logmel.n_mels)
        if (rows, width) != due:
            name = graph.tensors[graph.inputs[0]].name
            raise InputError(
                f"{graph.name}: input tensor '{name}' takes {rows} rows of {width} values where the "
                f"log-mel has {due[0]} frames of {due[1]} bands; give the log-mel and the window of its training"
            )
        tensor = graph.tensors[graph.outputs[0]]
        if tensor.size != len(self.listening.labels):
            raise InputError(
                f"{graph.name}: output tensor '{tensor.name}' has {tensor.size} values for the labels "
                f"{', '.join(self.listening.labels)}; give a label for each"
            )
        try:
            frontend_tables(self.listening.logmel, self.input.scale, self.input.zero_point)
        except InputError as error:
            raise InputError(f"{graph.name}: {error}") from error

    def sounds(self) -> NDArray[np.int16]:
        """Return windows of made-up sound, [8, samples]: silence, breath, clicks, a whistle, and the extremes."""
        return golden_pcm(self.listening)

    def codes(self, pcm: NDArray[np.int16]) -> NDArray[np.int8]:
        """Return what Python's front end makes of windows [N, samples]: codes, [N, frames, n_mels]."""
        return front_end(self.listening, self.input, pcm)


def _quantization(graph: Graph, index: int) -> Quantization:
    tensor = graph.tensors[index]
    return Quantization(tensor.scale, tensor.zero_point)
