"""EfficientAT's MobileNetV3: any width from scratch, and its published weights."""

from pathlib import Path

from lungsound.networks.cards import EFFICIENTAT_MN04
from teachers.cards import TeacherCard
from teachers.offers import Offer

LOGMEL = EFFICIENTAT_MN04.logmel

CARD = TeacherCard(
    name=Path(EFFICIENTAT_MN04.file).stem,
    url=EFFICIENTAT_MN04.url,
    licence=EFFICIENTAT_MN04.licence,
    paper=EFFICIENTAT_MN04.paper,
    note="AudioSet, distilled from transformers; width 0.4",
    logmel=LOGMEL,
    hash=EFFICIENTAT_MN04.hash,
)

OFFER = Offer("mobilenetv3", "a width such as 0.4 (mn04's; mn10's is 1)", "0.4", (CARD,), {"mn04": CARD.name})
