"""What a graph becomes: streams of rows, and steps that turn rows into rows. The C engine (au_stream.h) walks the
same tables.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class CArray:
    """A constant table in C: [n] of `ctype`."""

    ctype: str
    values: npt.NDArray[np.integer]


@dataclass(frozen=True)
class CPointers:
    """A constant table of pointers to `ctype`, None for NULL."""

    ctype: str
    arrays: tuple[CArray | None, ...]


@dataclass(frozen=True)
class CStruct:
    """A constant structure in C: its type and its fields by name; nested mappings are nested structures."""

    ctype: str
    fields: "dict[str, CValue]"


CValue = int | tuple[int, ...] | CArray | CPointers | None | dict[str, "CValue"]


@dataclass(frozen=True)
class Stream:
    """One tensor that arrives row by row.

    Parameters
    ----------
    name : str
        The tensor's name.
    tensor : int
        Its index in the graph.
    rows, width : int
        Rows in the whole tensor and values in each; rows * width is the tensor's size.
    """

    name: str
    tensor: int
    rows: int
    width: int


@dataclass(frozen=True)
class Tap:
    """What a step reads of one stream.

    Parameters
    ----------
    stream : int
        Index.
    kernel : int
        Rows read by one run; 0 reads the whole tensor at once.
    stride, dilation, pad : int
        Run n reads rows n * stride - pad + i * dilation for i < kernel.
    outside : int or None
        The value of rows outside of the tensor; None if the kernel leaves them out.
    """

    stream: int
    kernel: int
    stride: int = 1
    dilation: int = 1
    pad: int = 0
    outside: int | None = None


@dataclass(frozen=True)
class Fold:
    """Runs of a step that add up to one output row.

    Parameters
    ----------
    kernel, stride, pad : int
        Output row n takes the runs n * stride - pad + i, i < kernel.
    sums_bytes : int
        Memory between runs.
    """

    kernel: int
    stride: int
    pad: int
    sums_bytes: int


@dataclass(frozen=True)
class Step:
    """One operator at work.

    Parameters
    ----------
    kind : str
        The TFLite operator.
    kernel : str
        The C function.
    source : str
        The C file that holds it, "au_conv_c99".
    op : CStruct
        The function's constants.
    taps : tuple of Tap
        Inputs, in the order in which the kernel expects them.
    output : int
        Stream.
    emits : int
        Rows made at once.
    runs : int
        In a whole window.
    macs : int
        Multiply-accumulates of one run.
    fold : Fold or None
        How runs add up; None for a step of which every run makes its rows.
    note : str
        Why the step stays with plain C where others of its kind do not, or what its kernel does slowly; "" if nothing.
    """

    kind: str
    kernel: str
    source: str
    op: CStruct
    taps: tuple[Tap, ...]
    output: int
    emits: int
    runs: int
    macs: int
    fold: Fold | None = None
    note: str = ""

    def number(self, name: str) -> int:
        """Return a number among the function's constants."""
        value = self.op.fields[name]
        assert isinstance(value, int)
        return value

    def array(self, name: str) -> npt.NDArray[np.int64]:
        """Return a table among the function's constants."""
        value = self.op.fields[name]
        assert isinstance(value, CArray)
        return value.values.astype(np.int64)

    @property
    def sums_bytes(self) -> int:
        """Memory that the step keeps from run to run."""
        return self.fold.sums_bytes if self.fold else 0

    @property
    def rows(self) -> int:
        """Rows that one run is given, those outside of a tensor included."""
        return sum(max(tap.kernel, 1) for tap in self.taps)


@dataclass(frozen=True)
class Program:
    """A whole model as streams and steps, steps in the order of the graph.

    Parameters
    ----------
    name : str
        The file, for error sentences.
    streams : tuple of Stream
        By index.
    steps : tuple of Step
        In the order of the graph.
    input, output : int
        Streams.
    """

    name: str
    streams: tuple[Stream, ...]
    steps: tuple[Step, ...]
    input: int
    output: int

    def leaves(self, step: Step, tap: Tap) -> bool:
        """Whether `step` reads rows before the first or after the last."""
        last = (step.runs - 1) * tap.stride - tap.pad + (tap.kernel - 1) * tap.dilation
        return tap.pad > 0 or last >= self.streams[tap.stream].rows

    def outside_row(self, step: Step, tap: Tap) -> CArray | None:
        """Return the row that stands for those before the first and after the last; None if `step` needs none."""
        if tap.outside is None or not self.leaves(step, tap):
            return None
        return CArray("au_value_t", np.full(self.streams[tap.stream].width, tap.outside))


def without_unused_streams(program: Program) -> Program:
    """Return `program` with the streams alone that its steps read or make, its input and its output."""
    used = {program.input, program.output}
    for step in program.steps:
        used |= {step.output, *(tap.stream for tap in step.taps)}
    new = {old: index for index, old in enumerate(sorted(used))}
    steps = tuple(
        replace(
            step,
            output=new[step.output],
            taps=tuple(replace(tap, stream=new[tap.stream]) for tap in step.taps),
        )
        for step in program.steps
    )
    streams = tuple(program.streams[old] for old in sorted(used))
    return replace(program, streams=streams, steps=steps, input=new[program.input], output=new[program.output])
