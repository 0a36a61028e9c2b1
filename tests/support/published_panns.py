"""Files as PANNs' training script saves them."""

import torch

from lungsound.logmel import SPECS
from lungsound.mel_bands import mel_filters
from lungsound.networks.cnn6 import Cnn6
from lungsound.networks.panns import Panns


def published_file(path, widths=(8, 16, 24, 32), kind=Cnn6, logmel="panns_32k", **changes):
    """Write what the published training script saves, with the tensors of its front end; return the rest of it."""
    torch.manual_seed(0)
    state = Panns(kind(widths), embedding=32, classes=9).published_state()
    spec = SPECS[logmel]
    front_end = {
        "spectrogram_extractor.stft.conv_real.weight": torch.zeros(5, 1, 8),
        "spectrogram_extractor.stft.conv_imag.weight": torch.zeros(5, 1, 8),
        "logmel_extractor.melW": torch.from_numpy(mel_filters(spec).T.copy()).float(),
    }
    torch.save({"iteration": 600000, "model": front_end | state | changes}, path)
    return state
