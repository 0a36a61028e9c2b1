"""A file as PANNs' training script saves it."""

import torch

from lungsound.networks.panns import PannsCnn6


def published_file(path, widths=(8, 16, 24, 32), **changes):
    """Write what the published training script saves, with the tensors of its front end."""
    torch.manual_seed(0)
    state = dict(PannsCnn6(widths, classes=9).state_dict())
    front_end = {
        "spectrogram_extractor.stft.conv_real.weight": torch.zeros(5, 1, 8),
        "spectrogram_extractor.stft.conv_imag.weight": torch.zeros(5, 1, 8),
        "logmel_extractor.melW": torch.zeros(5, 64),
    }
    torch.save({"iteration": 600000, "model": front_end | state | changes}, path)
    return state
