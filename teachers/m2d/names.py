"""Names of published M2D weights: the folder's name carries the configuration."""

import re
from dataclasses import dataclass
from typing import Self

from lungsound.errors import InputError
from teachers.m2d.config import LOGMELS, SIZES, M2DConfig

_NAME = re.compile(
    r"(?P<model>\w+_vit_(?P<size>[a-z]+))"
    r"-(?P<mels>\d{1,4})x(?P<frames>\d{1,5})p(?P<patch_mels>\d{1,4})x(?P<patch_frames>\d{1,4})"
    r"(p(?P<kilohertz>\d{1,3})k(p[^-]*)?)?"
    r"(-.*)?"
)


@dataclass(frozen=True, slots=True)
class M2DName:
    """What the name of an M2D weight says, such as ``m2d_vit_base-80x608p16x16p16k-250826-AS+Resp400K``.

    Attributes
    ----------
    model : str
        Model class, ``m2d_vit_base``, ``m2d_x_vit_base``...
    size : str
        A key of `SIZES`.
    input_size, patch_size : tuple of int
        Mels and frames.
    sample_rate : int
        Hz; 16000 where the name says nothing.
    """

    model: str
    size: str
    input_size: tuple[int, int]
    patch_size: tuple[int, int]
    sample_rate: int

    @classmethod
    def parse(cls, name: str) -> Self:
        """Read a name; date, hash and training options behind the sizes are ignored.

        Raises
        ------
        InputError
            If the name does not follow the published grammar.
        """
        found = _NAME.fullmatch(name)
        if found is None:
            raise InputError(f"{name!r} is not named like a published M2D weight (m2d_vit_base-80x608p16x16-...)")
        if found["size"] not in SIZES:
            raise InputError(f"{name!r}: size {found['size']!r} is unknown; it must be one of {', '.join(SIZES)}")
        rate = 1000 * int(found["kilohertz"] or 16)
        if rate not in LOGMELS:
            raise InputError(f"{name!r}: weights for {rate} Hz are unknown; published ones take 16k or 32k")
        input_size = int(found["mels"]), int(found["frames"])
        patch_size = int(found["patch_mels"]), int(found["patch_frames"])
        return cls(found["model"], found["size"], input_size, patch_size, rate)

    @property
    def config(self) -> M2DConfig:
        """The encoder's configuration."""
        return M2DConfig(*SIZES[self.size], self.input_size, self.patch_size, self.sample_rate)
