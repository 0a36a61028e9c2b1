"""Encoders: what a teacher is made of beside its fusion and its head, and how one is found by its name.

A new encoder is one module of this package: a class that derives from :class:`Encoder` and stands under
:func:`register`. Nothing else names it.
"""

import importlib
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, NoReturn, Self, TypeVar

from torch import Tensor, nn

import teachers
from lungsound.errors import InputError
from lungsound.listening import Listening
from lungsound.logmel import LogMelSpec
from teachers.cards import TeacherCard
from teachers.offers import Offer


class Encoder(nn.Module, ABC):
    """A network that turns log-mels into layers of token grids.

    Parameters
    ----------
    config : Config
        Everything that decides its shape.

    Attributes
    ----------
    name : str
        What :func:`register` was given.
    Config : type
        A frozen dataclass of its own with plain values and tuples, which a run stores.
    cards : sequence of TeacherCard
        Published weights that :meth:`read` reads.
    aliases : mapping of str to str
        Short names of cards.
    also_hears : sequence of str
        Names of log-mels of the same shape that published weights may be fine-tuned on, too, with the statistics of the
        corpus: what a paper did, not what the weights were trained for.
    sizes, usual_size : str
        What may be trained from scratch, in words, and what is when nobody says.
    """

    name: ClassVar[str]
    Config: ClassVar[type[Any]]
    cards: ClassVar[Sequence[TeacherCard]] = ()
    aliases: ClassVar[Mapping[str, str]] = {}
    also_hears: ClassVar[Sequence[str]] = ()
    sizes: ClassVar[str]
    usual_size: ClassVar[str]

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config

    @classmethod
    @abstractmethod
    def scratch_config(cls, size: str, listening: Listening) -> Any:
        """Return the configuration of an encoder of some size for windows of a log-mel.

        Raises
        ------
        InputError
            If the size is unknown, see :meth:`refuse_size`, or the windows do not suit.
        """

    @property
    @abstractmethod
    def logmel(self) -> LogMelSpec:
        """The log-mel that published weights were made for, with their mean and standard deviation."""

    @property
    @abstractmethod
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """Rows Nf and features D of each layer's grid."""

    @abstractmethod
    def encode_layers(self, x: Tensor) -> list[Tensor]:
        """Encode log-mels of any length.

        Parameters
        ----------
        x : Tensor of float, shape [B, 1, mels, frames]
            Normalised log-mels.

        Returns
        -------
        list of Tensor, each of shape [B, Nf, T, D]
            A grid of tokens for each layer, low mels and early frames first; Nf and D as :attr:`shapes` says, T may
            differ, too.
        """

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a published file; nothing in it is executed.

        Raises
        ------
        InputError
            If it is missing, damaged or something else, or this encoder has no published weights.
        """
        raise InputError(f"{path}: an encoder {cls.name} has no published weights; train it from scratch")

    @classmethod
    def name_of(cls, path: Path) -> str:
        """Return the name under which a file on disk was published."""
        return path.stem

    @property
    def kept(self) -> Sequence[nn.Module]:
        """Parts whose pre-trained weights fine-tuning does not change."""
        return ()

    @classmethod
    def refuse_size(cls, size: str) -> NoReturn:
        """Raise the sentence for a size that does not exist."""
        raise InputError(f"size {size!r}: choose from {cls.sizes}, published")

    @classmethod
    def width_of(cls, size: str) -> float:
        """Return the width multiplier that a size from scratch is, where that is what sizes are.

        Raises
        ------
        InputError
            If it is no number, or none from 1/64 to 4.
        """
        try:
            width = float(size)
        except ValueError:
            cls.refuse_size(size)
        if not 1 / 64 <= width <= 4:
            raise InputError(f"size {size}: a width must lie between {1 / 64} and 4")
        return width


E = TypeVar("E", bound=type[Encoder])
_REGISTERED: dict[str, type[Encoder]] = {}


def register(offer: Offer | str) -> Callable[[E], E]:
    """Return a decorator that makes an encoder known.

    Parameters
    ----------
    offer : Offer or str
        Gives it its name, cards, aliases and sizes, and stands in the list of teachers. A name alone does not; the
        class has the rest then.
    """

    def known(encoder: E) -> E:
        if isinstance(offer, Offer):
            encoder.cards, encoder.aliases = offer.cards, offer.aliases
            encoder.sizes, encoder.usual_size = offer.sizes, offer.usual_size
        encoder.name = offer.name if isinstance(offer, Offer) else offer
        _REGISTERED[encoder.name] = encoder
        return encoder

    return known


def encoders() -> Mapping[str, type[Encoder]]:
    """Return every encoder of this package by its name."""
    for module in pkgutil.walk_packages(teachers.__path__, f"{teachers.__name__}."):
        importlib.import_module(module.name)
    return _REGISTERED


def find(teacher: str) -> tuple[type[Encoder], TeacherCard | None]:
    """Return what a name stands for: an encoder alone, or with one of its cards.

    Parameters
    ----------
    teacher : str
        Name of an encoder or of a card, or an alias.

    Raises
    ------
    InputError
        If it is none of these; the sentence lists them.
    """
    known = encoders()
    for encoder in known.values():
        name = encoder.aliases.get(teacher, teacher)
        for card in encoder.cards:
            if card.name == name:
                return encoder, card
    if teacher not in known:
        names = [*known, *aliases(), *(card.name for encoder in known.values() for card in encoder.cards)]
        raise InputError(f"no teacher called {teacher!r}; choose one of {', '.join(dict.fromkeys(names))}")
    return known[teacher], None


def aliases() -> dict[str, str]:
    """Return the short names of all cards."""
    return {alias: name for encoder in encoders().values() for alias, name in encoder.aliases.items()}


def card_of(teacher: str) -> TeacherCard:
    """Return the card of a published name or of an alias.

    Raises
    ------
    InputError
        If there is none; the sentence lists them.
    """
    encoder, card = find(teacher)
    if card is None:
        names = ", ".join(card.name for card in encoder.cards) or "none"
        raise InputError(f"{teacher}: published weights have names of their own; choose one of {names}")
    return card


def build(config: Any) -> Encoder:
    """Return a new encoder of this configuration."""
    return _encoder_of(config)(config)


def config_values(config: Any) -> dict[str, Any]:
    """Return an encoder's configuration as plain values for JSON, its name among them."""
    return {"name": _encoder_of(config).name, **asdict(config)}


def config_from(values: Mapping[str, Any]) -> Any:
    """Return the configuration of :func:`config_values`; without a name it is M2D's, once the only encoder.

    Raises
    ------
    InputError
        If the encoder is unknown, a key is unknown or missing, or a value makes no sense.
    """
    try:
        given: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
        }
        name = given.pop("name", "m2d")
        if name not in encoders():
            raise InputError(f"no encoder called {str(name)[:40]!r}; choose one of {', '.join(encoders())}")
        return encoders()[name].Config(**given)
    except (AttributeError, TypeError, ValueError) as error:
        raise InputError(f"not a description of an encoder: {error}") from error


def _encoder_of(config: Any) -> type[Encoder]:
    for encoder in encoders().values():
        if encoder.Config is type(config):
            return encoder
    raise InputError(f"no encoder has a configuration like {config}")
