"""A cursor over a FlatBuffer that never reads outside of it.

A table is a signed offset back to its vtable, a vtable is a list of 16-bit field offsets, and everything else
(strings, vectors, tables) hangs on unsigned offsets forward (FlatBuffers, "Internals"). Every offset is checked
before it is followed,
so an untrusted file costs an `InputError` and nothing else. There is no recursion: the caller walks a schema of fixed
depth.
"""

import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lungsound.errors import InputError

_MOST_TABLES = 100_000
_LONGEST_TEXT = 200  # bytes; converters join the names of all that they fused, and the last one counts


@dataclass(frozen=True)
class FlatTable:
    """One table of a FlatBuffer.

    Parameters
    ----------
    name : str
        The file, for error sentences.
    data : bytes
        The whole file.
    position : int
        Where the table starts, in bytes.
    """

    name: str
    data: bytes
    position: int

    @classmethod
    def root(cls, name: str, data: bytes) -> "FlatTable":
        """Return the table that the first four bytes point to."""
        first = cls(name, data, 0)
        return cls(name, data, first._offset(0))

    def integer(self, field: int, kind: str, default: int = 0) -> int:
        """Return A scalar of the struct format `kind` ('b', 'B', 'i', 'I', 'q', 'Q' or '?')."""
        where = self._field(field)
        return default if where is None else int(self._unpack(kind, where))

    def real(self, field: int, default: float = 0.0) -> float:
        """Return A 32-bit float."""
        where = self._field(field)
        return default if where is None else float(self._unpack("f", where))

    def table(self, field: int) -> "FlatTable | None":
        """Return A table, or None if the field is absent."""
        where = self._field(field)
        return None if where is None else FlatTable(self.name, self.data, self._offset(where))

    def tables(self, field: int) -> list["FlatTable"]:
        """Return A vector of tables; empty if the field is absent."""
        start, count = self._vector(field, 4)
        if count > _MOST_TABLES:
            raise self._damaged(f"it lists {count} tables")
        return [FlatTable(self.name, self.data, self._offset(start + 4 * index)) for index in range(count)]

    def array(self, field: int, dtype: str) -> npt.NDArray[np.generic] | None:
        """Return A vector of numbers, or None if the field is absent; a view, not a copy."""
        if self._field(field) is None:
            return None
        item = np.dtype(dtype)
        start, count = self._vector(field, item.itemsize)
        return np.frombuffer(self.data, item, count, start)

    def text(self, field: int) -> str:
        """Return the end of a string, fit to print: what is not UTF-8, or controls a terminal, becomes escapes."""
        start, count = self._vector(field, 1)
        text = self.data[start + max(0, count - _LONGEST_TEXT) : start + count].decode("utf-8", "backslashreplace")
        return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)

    def _vector(self, field: int, size: int) -> tuple[int, int]:
        where = self._field(field)
        if where is None:
            return 0, 0
        start = self._offset(where)
        count = int(self._unpack("I", start))
        if start + 4 + count * size > len(self.data):
            raise self._damaged(f"a list of {count} values at byte {start} runs past the end")
        return start + 4, count

    def _field(self, field: int) -> int | None:
        vtable = self.position - int(self._unpack("i", self.position))
        length = int(self._unpack("H", vtable))
        entry = 4 + 2 * field
        if entry + 2 > length:
            return None
        offset = int(self._unpack("H", vtable + entry))
        return self.position + offset if offset else None

    def _offset(self, where: int) -> int:
        target = where + int(self._unpack("I", where))
        if target + 4 > len(self.data):
            raise self._damaged(f"the offset at byte {where} points past the end")
        return target

    def _unpack(self, kind: str, where: int) -> int | float:
        if where < 0 or where + struct.calcsize(kind) > len(self.data):
            raise self._damaged(f"byte {where} is asked for and there are {len(self.data)}")
        value: int | float = struct.unpack_from("<" + kind, self.data, where)[0]
        return value

    def _damaged(self, why: str) -> InputError:
        return InputError(f"{self.name}: the .tflite file is cut or damaged: {why}; export it again")
