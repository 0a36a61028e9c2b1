"""EfficientAT's MobileNetV3: any width from scratch, and its published weights."""

from teachers.cards import TeacherCard
from teachers.offers import Offer

LOGMEL = "efficientat_32k"

CARD = TeacherCard(
    name="mn04_as_mAP_432",
    url="https://github.com/fschmid56/EfficientAT/releases/download/v0.0.1/mn04_as_mAP_432.pt",
    licence="MIT",
    paper="Schmid et al., Efficient Large-Scale Audio Tagging via Transformer-to-CNN Distillation, arXiv:2211.04772",
    note="AudioSet, distilled from transformers; width 0.4",
    logmel=LOGMEL,
    hash="sha256:899a8c6217063f6941793102a2780b3dd788ab11fce468d9cf5f0577c453321c",
)

OFFER = Offer("mobilenetv3", "a width such as 0.4 (mn04's; mn10's is 1)", "0.4", (CARD,), {"mn04": CARD.name})
