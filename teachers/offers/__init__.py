"""What each encoder offers: its sizes and its published weights. A module a publication; none waits for torch."""

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field

from teachers.cards import TeacherCard


@dataclass(frozen=True)
class Offer:
    """What may be asked of an encoder.

    Attributes
    ----------
    name : str
        Of the encoder, see :func:`teachers.encoder.register`.
    sizes, usual_size : str
        What may be trained from scratch, in words, and what is when nobody says.
    cards : tuple of TeacherCard
        Published weights.
    aliases : mapping of str to str
        Short names of cards.
    """

    name: str
    sizes: str
    usual_size: str
    cards: tuple[TeacherCard, ...] = ()
    aliases: Mapping[str, str] = field(default_factory=dict)


def offers() -> dict[str, Offer]:
    """Return every offer that a module of this package holds by the name of its encoder."""
    modules = [importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
    found = [value for module in modules for value in vars(module).values() if isinstance(value, Offer)]
    return {offer.name: offer for offer in found}
