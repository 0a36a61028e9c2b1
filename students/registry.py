"""The families of students: a network with its card each, registered by the file that holds it."""

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar, runtime_checkable

from torch import Tensor, nn

import students
from lungsound.errors import InputError
from lungsound.networks.cards import WeightsCard


@runtime_checkable
class Trunk(Protocol):
    """What a family's network must be, besides a :class:`torch.nn.Module`.

    Attributes
    ----------
    channels : int
        D, channels of the feature map.
    rows : Rows, optional
        Of a trunk that pads nothing in time; others have no such attribute.
    """

    channels: int

    def forward(self, x: Tensor) -> Tensor:
        """Map normalised log-mels [B, 1, T, F] to a feature map [B, D, t, f]."""
        ...


MakesTrunk = Callable[..., nn.Module]
"""Takes a width multiplier, a dropout and, where its card has depths, a depth; gives a trunk."""
M = TypeVar("M", bound=MakesTrunk)


@dataclass(frozen=True)
class Rows:
    """Which frames an output row of a trunk depends on, where nothing is padded in time.

    Attributes
    ----------
    frames : int
        Under one row; those of row r begin at frame ``r * stride``.
    stride : int
        Frames from one row to the next. Windows of a stream share rows if their hop is a whole number of them.
    """

    frames: int
    stride: int


@dataclass(frozen=True)
class Depths:
    """How many blocks the trunks of a family may have.

    Attributes
    ----------
    least, most : int
        Both included.
    usual : int
        Where nobody asks for another.
    """

    least: int
    most: int
    usual: int


@dataclass(frozen=True)
class Published:
    """Published weights of a family: the usual file's card, and what copies a file of them into a trunk.

    `load` returns the card of the file where a family has several; `load_hidden` copies the hidden layer of the
    published head into a linear layer.
    """

    card: WeightsCard
    load: Callable[[nn.Module, Path], WeightsCard | None]
    load_hidden: Callable[[nn.Linear, Path], None] | None = None


@dataclass(frozen=True)
class StudentCard:
    """What a family of students is, and on what terms.

    Attributes
    ----------
    name : str
        For ``distill --student``.
    summary : str
        What it is, in one sentence.
    paper : str
        Where it was published.
    licence : str
        Terms of the network's code.
    input : str
        What it was made to listen to.
    width : str
        What a width of one means.
    smallest_input : int
        Frames and mels that a window must have at least.
    published : Published, optional
        Weights that a trunk may start from.
    depths : Depths, optional
        Of a family that is sized by depth, too.
    """

    name: str
    summary: str
    paper: str
    licence: str
    input: str
    width: str
    smallest_input: int = 1
    published: Published | None = None
    depths: Depths | None = None


@dataclass(frozen=True)
class Family:
    """A card and what makes its trunks."""

    card: StudentCard
    trunk: MakesTrunk

    def depth(self, asked: int | None) -> int | None:
        """Return the depth that was asked for, or else the usual one; None of a family without.

        Raises
        ------
        InputError
            If the family has no such depth.
        """
        name, depths = self.card.name, self.card.depths
        if depths is None:
            if asked is not None:
                raise InputError(f"{name} is sized by its width alone; leave the depth {asked} out")
            return None
        if asked is not None and not depths.least <= asked <= depths.most:
            raise InputError(f"{name} has a depth between {depths.least} and {depths.most}, got {asked}")
        return depths.usual if asked is None else asked

    def make(self, width: float, dropout: float, depth: int | None = None) -> nn.Module:
        """Make a trunk.

        Raises
        ------
        InputError
            If the family has no such depth, or the network lacks what a trunk must have.
        """
        depth = self.depth(depth)
        trunk = self.trunk(width, dropout) if depth is None else self.trunk(width, dropout, depth)
        if not isinstance(trunk, nn.Module) or not isinstance(getattr(trunk, "channels", None), int):
            raise InputError(
                f"student {self.card.name}: its trunk must be a torch module with `channels`, the number of channels "
                "of its feature map; add them"
            )
        return trunk


_FAMILIES: dict[str, Family] = {}


def register(card: StudentCard) -> Callable[[M], M]:
    """Return a decorator that makes a network a family of students.

    It stands above a module class, or a function, that takes ``width``, ``dropout`` and, with `StudentCard.depths`,
    ``depth``, and gives a :class:`Trunk`.

    Raises
    ------
    InputError
        If another family has the name.
    """

    def decorate(trunk: M) -> M:
        earlier = _FAMILIES.get(card.name)
        if earlier is not None and _place(earlier.trunk) != _place(trunk):
            raise InputError(f"two students are called {card.name!r}: rename the one in {_place(trunk)[0]}")
        _FAMILIES[card.name] = Family(card, trunk)
        return trunk

    return decorate


def family(name: str) -> Family:
    """Return a family by its name.

    Raises
    ------
    InputError
        If there is none, with the names that there are.
    """
    found = families()
    if name not in found:
        raise InputError(f"no student called {name!r}; choose one of {', '.join(found)}")
    return found[name]


def families() -> dict[str, Family]:
    """Return every family by name: those of this package, and those that others have registered."""
    for module in pkgutil.iter_modules(students.__path__):
        importlib.import_module(f"{students.__name__}.{module.name}")
    return dict(sorted(_FAMILIES.items()))


def _place(trunk: MakesTrunk) -> tuple[str, str]:
    return trunk.__module__, getattr(trunk, "__qualname__", "")
