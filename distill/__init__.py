"""Distillation: losses, stored teacher outputs, and the training of students."""

from lungsound import cpu_wheels as cpu_wheels  # before anything that imports torchvision or torchaudio
