"""Published networks that a teacher and a student may both be made of."""

from lungsound import cpu_wheels as cpu_wheels  # before anything that imports torchvision or torchaudio
