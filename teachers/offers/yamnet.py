"""YAMNet: any width from scratch, and the weights that are published as int8 behind a log-mel."""

from teachers.cards import TeacherCard
from teachers.offers import Offer

CARD = TeacherCard(
    name="yamnet_spectra_in",
    url="https://github.com/google-coral/coralmicro/raw/main/models/yamnet_spectra_in.tflite",
    licence="Apache-2.0",
    paper="Plakal and Ellis, YAMNet, TensorFlow Model Garden, research/audioset/yamnet; AudioSet: Gemmeke et al. 2017",
    note="AudioSet and its labels; int8, from the log-mel on",
    logmel="yamnet",
    hash="sha256:0a266465c46718f3fcc4137366be82882a8c93bfcc4f0278581a11d11dddcdf9",
)

OFFER = Offer("yamnet", "a width such as 0.25 (1 is the published network's)", "0.25", (CARD,), {"yamnet": CARD.name})
