"""PANNs' CNNs: any width of each from scratch, and their published weights."""

from pathlib import Path

from lungsound.networks.cards import PANNS, WeightsCard
from teachers.cards import TeacherCard
from teachers.offers import Offer


def _card(card: WeightsCard) -> TeacherCard:
    return TeacherCard(
        name=Path(card.file).stem,
        url=card.url,
        licence=card.licence,
        paper=card.paper,
        note="AudioSet and its labels",
        logmel=card.logmel,
        hash=card.hash,
    )


def _offer(family: str, usual_size: str) -> Offer:
    cards = tuple(map(_card, PANNS[family]))
    # A family's first file is the usual one; the others are told apart by the sampling rate in their log-mel's name.
    rates = ("", *(f"_{card.logmel.removeprefix('panns_')}" for card in cards[1:]))
    aliases = {f"{family}{rate}": card.name for rate, card in zip(rates, cards, strict=True)}
    return Offer(family, f"a width such as {usual_size} (1 is the published network's)", usual_size, cards, aliases)


CNN6 = _offer("cnn6", "0.25")
CNN10 = _offer("cnn10", "0.25")
CNN14 = _offer("cnn14", "0.125")
RESNET22 = _offer("resnet22", "0.125")
MOBILENETV1 = _offer("mobilenetv1", "0.25")
MOBILENETV2 = _offer("mobilenetv2", "0.25")
