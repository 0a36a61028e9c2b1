"""Beginnings of a .tflite, changed where they lie: to pack a model for every operator takes longer than to run it."""

import struct
from typing import Any

from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from export.tflite.structure import Step, Structure

_OPERATORS, _OUTPUTS, _SIGNATURES, _DATA = 10, 8, 18, 4
"""Where a table of SubGraph (twice), Model and Buffer notes where a vector lies, in bytes from its beginning."""


class Beginnings:
    """Files that compute one operator of a model and nothing behind it.

    Parameters
    ----------
    structure : Structure
        The model, as it is now.
    """

    def __init__(self, structure: Structure) -> None:
        self._structure = structure
        self._bytes = bytearray(structure.to_bytes())
        model = schema.Model.GetRootAs(self._bytes, 0)
        self._operators = _vector(model.Subgraphs(0), _OPERATORS)
        self._outputs = _vector(model.Subgraphs(0), _OUTPUTS)
        struct.pack_into("<I", self._bytes, self._outputs, 1)
        if signatures := _vector(model, _SIGNATURES):
            struct.pack_into("<I", self._bytes, signatures, 0)

    def set_constant(self, tensor: int, values: NDArray[Any]) -> None:
        """Give a constant other values, of as many bytes."""
        place = self._structure.graph.tensors[tensor].buffer
        start, content = _vector(schema.Model.GetRootAs(self._bytes, 0).Buffers(place), _DATA), values.tobytes()
        assert struct.unpack_from("<I", self._bytes, start) == (len(content),)
        self._bytes[start + 4 : start + 4 + len(content)] = content

    def as_far_as(self, step: Step) -> bytes:
        """Return the file that computes an operator and nothing behind it."""
        struct.pack_into("<I", self._bytes, self._operators, self._structure.steps.index(step) + 1)
        struct.pack_into("<i", self._bytes, self._outputs + 4, step.output)
        return bytes(self._bytes)


def _vector(table: Any, field: int) -> int:
    """Return where a vector's length lies, its elements behind it; 0 if there is none."""
    offset = table._tab.Offset(field)
    return int(table._tab.Vector(offset)) - 4 if offset else 0
