"""What decides the shape of an M2D encoder, and the sizes that are in use."""

from dataclasses import dataclass
from typing import Self

from lungsound.errors import InputError

NORM_STATS = (-7.1, 4.2)
"""Mean and standard deviation of AudioSet's log-mels, for weights that do not carry their own."""

LOGMELS = {16000: "m2d", 32000: "m2d_32k"}
"""Name of the log-mel specification by sample rate."""

SIZES = {"tiny": (128, 4, 2), "small": (384, 12, 6), "base": (768, 12, 12), "large": (1024, 24, 16)}
"""Width of a token, blocks and attention heads by size; only base and large are published, tiny is for two cores."""


@dataclass(frozen=True, slots=True)
class M2DConfig:
    """Everything that decides an encoder's shape.

    Attributes
    ----------
    embed_dim, depth, heads : int
        Width of a token, number of blocks, attention heads.
    input_size : tuple of int
        Mels and frames of one chunk.
    patch_size : tuple of int
        Mels and frames of a patch.
    sample_rate : int
        Hz of the sound behind the log-mels, 16000 or 32000.
    """

    embed_dim: int
    depth: int
    heads: int
    input_size: tuple[int, int]
    patch_size: tuple[int, int]
    sample_rate: int = 16000

    def __post_init__(self) -> None:
        sizes = (self.embed_dim, self.depth, self.heads, *self.input_size, *self.patch_size)
        if len(sizes) != 7 or not all(isinstance(size, int) and size > 0 for size in sizes):
            raise InputError(f"M2D encoder: every size must be a positive whole number, got {self}")
        for ok, what in (
            (self.embed_dim % 4 == 0 and self.embed_dim % self.heads == 0, "embed_dim must divide by 4 and by heads"),
            (self.input_size[0] % self.patch_size[0] == 0, "patches must fill the mels"),
            (self.input_size[1] >= self.patch_size[1], "a patch must fit into the frames"),
            (self.sample_rate in LOGMELS, f"sample_rate must be one of {', '.join(map(str, LOGMELS))}"),
        ):
            if not ok:
                raise InputError(f"M2D encoder: {what}, got {self}")

    @classmethod
    def of_size(cls, size: str, input_size: tuple[int, int], patch_size: tuple[int, int] = (16, 16)) -> Self:
        """Return an encoder that hears a whole window at once.

        Parameters
        ----------
        size : str
            A key of `SIZES`.
        input_size : tuple of int
            Mels and frames of the window; frames are rounded up to whole patches.
        patch_size : tuple of int
            Mels and frames.

        Raises
        ------
        InputError
            If the size is unknown or patches do not fill the mels.
        """
        if size not in SIZES:
            raise InputError(f"no M2D encoder of size {size!r}; choose one of {', '.join(SIZES)}")
        mels, frames = input_size
        return cls(*SIZES[size], (mels, frames + -frames % patch_size[1]), patch_size)

    @property
    def grid(self) -> tuple[int, int]:
        """Rows (frequency) and columns (time) of patches in a chunk."""
        return self.input_size[0] // self.patch_size[0], self.input_size[1] // self.patch_size[1]
