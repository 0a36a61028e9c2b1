"""Masked Modeling Duo: the encoder, its published weights and their names."""

from lungsound import cpu_wheels as cpu_wheels  # before anything that imports torchvision or torchaudio
