"""PANNs' CNN6: any width from scratch, and its published weights."""

from pathlib import Path

from lungsound.networks.cards import PANNS_CNN6
from teachers.cards import TeacherCard
from teachers.offers import Offer

CARD = TeacherCard(
    name=Path(PANNS_CNN6.file).stem,
    url=PANNS_CNN6.url,
    licence=PANNS_CNN6.licence,
    paper=PANNS_CNN6.paper,
    note="AudioSet and its labels",
    logmel=PANNS_CNN6.logmel,
    hash=PANNS_CNN6.hash,
)

OFFER = Offer("cnn6", "a width such as 0.25 (1 is the published network's)", "0.25", (CARD,), {"cnn6": CARD.name})
