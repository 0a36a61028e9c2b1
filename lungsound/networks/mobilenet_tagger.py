"""EfficientAT's MobileNetV3 with its three heads; parameters carry the published names."""

from collections.abc import Sequence

from lungsound import cpu_wheels as cpu_wheels  # isort: skip  # before anything that imports torchvision

import torch
from torch import Tensor, nn

from lungsound.networks.mobilenet import USUAL_STRIDES, MobileNetV3, divisible


class AttentionPooling(nn.Module):
    """Every head weighs time for every class by itself; heads are summed by learnt weights.

    Source: Gong et al. 2021, "PSLA", section III-C, as EfficientAT has it.

    Parameters
    ----------
    channels, classes, heads : int
        D, C, and the number of heads.
    """

    def __init__(self, channels: int, classes: int, heads: int) -> None:
        super().__init__()
        self.shape = (2, heads, classes)
        self.subspace_proj = nn.Linear(channels, 2 * heads * classes)
        self.head_weight = nn.Parameter(torch.full((1, heads, 1), 1 / heads))

    def forward(self, feature_map: Tensor) -> Tensor:
        """Map features [B, D, F, T] to logits [B, C]."""
        projected = self.subspace_proj(feature_map.mean(dim=2).mT)  # [B, T, 2 * heads * classes]
        attention, values = projected.unflatten(-1, self.shape).movedim(1, -1).unbind(1)  # [B, heads, classes, T]
        attention = torch.sigmoid(attention).clamp(1e-7, 1 - 1e-7)
        attention = attention / attention.sum(dim=-1, keepdim=True)
        logits: Tensor = ((attention * values).sum(dim=-1) * self.head_weight).sum(dim=1)
        return logits


def perceptron(channels: int, classes: int, hidden: int) -> nn.Sequential:
    """Return the usual head (``mlp``): the mean over positions and two linear layers."""
    return nn.Sequential(
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(channels, hidden),
        nn.Hardswish(),
        nn.Dropout(0.2),
        nn.Linear(hidden, classes),
    )


def fully_convolutional(channels: int, classes: int) -> nn.Sequential:
    """Return the head that scores every position and takes the mean."""
    return nn.Sequential(
        nn.Conv2d(channels, classes, 1, bias=False), nn.BatchNorm2d(classes), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )


class MobileNetTagger(MobileNetV3):
    """The published network from the log-mel on.

    Parameters
    ----------
    width, strides, dilated, reduced_tail, frames
        See :class:`~lungsound.networks.mobilenet.MobileNetV3`.
    classes : int
        Sound classes, AudioSet's 527 as published.
    head : {"mlp", "fully_convolutional", "multihead_attention_pooling"}
        What turns the last feature map into logits.
    heads : int
        Of the attention.
    """

    def __init__(
        self,
        width: float = 1.0,
        strides: Sequence[int] = USUAL_STRIDES,
        classes: int = 527,
        head: str = "mlp",
        heads: int = 4,
        *,
        dilated: bool = False,
        reduced_tail: bool = False,
        frames: int | None = None,
    ) -> None:
        super().__init__(width, strides, dilated=dilated, reduced_tail=reduced_tail, frames=frames)
        channels = self.widths[-1]
        if head == "mlp":
            self.classifier: nn.Module = perceptron(channels, classes, hidden_of(width, reduced_tail=reduced_tail))
        elif head == "fully_convolutional":
            self.classifier = fully_convolutional(channels, classes)
        else:
            self.classifier = AttentionPooling(channels, classes, heads)

    def tag(self, logmel: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits [B, C] and the embedding [B, D], the mean of the last map, of log-mels [B, 1, F, T]."""
        feature_map = self.forward(logmel)
        return self.classifier(feature_map), feature_map.mean(dim=(2, 3))


def hidden_of(width: float, *, reduced_tail: bool = False) -> int:
    """Return the size of the layer between the last map and the classes."""
    return divisible((640 if reduced_tail else 1280) * width)
