"""Students: small CNNs with an attention head that int8 kernels can run."""

from lungsound import cpu_wheels as cpu_wheels  # before anything that imports torchvision or torchaudio
