"""Five networks that nobody here designed, one channel in, with random weights and the statistics of random sound."""

from collections.abc import Callable

from lungsound import cpu_wheels as cpu_wheels  # isort: skip  # before timm, which imports torchvision

import timm
import torch
from made_once import made_once
from torch import Tensor, nn

from export.graph.read import read_graph
from export.tflite.float_model import write_graph

FRAMES, MELS = 62, 64
"""Some 2 s of sound in the log-mel device_4k."""


class DsCnn(nn.Module):
    """Depthwise-separable CNN for keywords, small. Source: Zhang et al. 2017, "Hello Edge", table 6."""

    def __init__(self, labels: int = 2, channels: int = 64, blocks: int = 4) -> None:
        super().__init__()
        self.first = self.layer(1, channels, (10, 4), stride=(2, 2), padding=(5, 1))
        self.blocks = nn.Sequential(
            *(
                nn.Sequential(
                    self.layer(channels, channels, (3, 3), groups=channels, padding=1), self.layer(channels, channels)
                )
                for _ in range(blocks)
            )
        )
        self.dropout = nn.Dropout(0.2)
        self.classifier = nn.Linear(channels, labels)

    @staticmethod
    def layer(inside: int, outside: int, kernel: tuple[int, int] = (1, 1), **options) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(inside, outside, kernel, bias=False, **options), nn.BatchNorm2d(outside), nn.ReLU()
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(self.first(x))
        x = nn.functional.adaptive_avg_pool2d(x, 1)
        return self.classifier(self.dropout(x.flatten(1)))


class Fire(nn.Module):
    """Squeeze, then expand with two kernels side by side."""

    def __init__(self, inside: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(inside, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.squeeze(x))
        return torch.cat([torch.relu(self.expand1x1(x)), torch.relu(self.expand3x3(x))], 1)


class SqueezeNet(nn.Module):
    """Version 1.1, a quarter as wide. Source: Iandola et al. 2016, "SqueezeNet"."""

    def __init__(self, labels: int = 2) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 3, stride=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            Fire(16, 4, 16),
            Fire(32, 4, 16),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            Fire(32, 8, 32),
            Fire(64, 8, 32),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            Fire(64, 12, 48),
            Fire(96, 16, 64),
        )
        self.classifier = nn.Sequential(nn.Dropout(), nn.Conv2d(128, labels, 1), nn.AdaptiveAvgPool2d((1, 1)))

    def forward(self, x: Tensor) -> Tensor:
        return torch.flatten(self.classifier(self.features(x)), 1)


def _timm(name: str) -> Callable[[], nn.Module]:
    return lambda: timm.create_model(name, in_chans=1, num_classes=2)


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "mobilenetv2_035": _timm("mobilenetv2_035"),
    "mobilenetv3_small_050": _timm("mobilenetv3_small_050"),
    "resnet10t": _timm("resnet10t"),
    "ds_cnn": DsCnn,
    "squeezenet": SqueezeNet,
}
"""By name; each maps [1, 1, 62, 64] to two logits."""


def foreign_network(name: str, seed: int = 0) -> nn.Module:
    """Make one with random weights, random gains and offsets of its normalisation, and statistics of random sound."""
    torch.manual_seed(seed)
    network = NETWORKS[name]()
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight)
            if module.bias is not None:
                nn.init.normal_(module.bias, std=0.1)
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.7, 1.3)
            nn.init.normal_(module.bias, std=0.2)
            module.momentum = None  # the average of all batches, which is one
    with torch.no_grad():
        network.train()(random_logmels(16, seed + 1))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.1
    return network.eval()


@made_once
def foreign_tflite(name: str) -> bytes:
    """The float .tflite of one, for windows [62, 64]."""
    return write_graph(read_graph(foreign_network(name), FRAMES, MELS))


def random_logmels(count: int, seed: int) -> Tensor:
    """Smooth random log-mels, some louder than others, [count, 1, 62, 64]."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(count, FRAMES + 4, MELS, generator=generator)
    smooth = sum(noise[:, i : i + FRAMES] for i in range(5)) / 2  # type: ignore[operator]
    return (smooth + torch.randn(count, 1, 1, generator=generator))[:, None]
