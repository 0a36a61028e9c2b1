"""Teachers: audio transformers, their weights and the fusion of their layers."""

from lungsound import cpu_wheels as cpu_wheels  # before anything that imports torchvision or torchaudio
