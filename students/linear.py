"""The plainest heads: the mean over positions, and one linear layer or two."""

from torch import Tensor, nn


def class_activation(scores: Tensor) -> Tensor:
    """Return what every position adds to each class beside the others, of scores [B, C, t, f], summing to one.

    The class activation map (Zhou et al. 2016, "Learning deep features for discriminative localization", equation 2)
    after a softmax over positions.
    """
    return scores.flatten(2).softmax(-1).reshape(scores.shape)


class LinearHead(nn.Module):
    """Logits from the mean of every channel.

    Parameters
    ----------
    in_channels : int
        D, channels of the feature map.
    classes : int
        C, number of logits.
    """

    def __init__(self, in_channels: int, classes: int) -> None:
        super().__init__()
        self.classify = nn.Linear(in_channels, classes)

    def forward(self, feature_map: Tensor) -> Tensor:
        """Map features [B, D, t, f] to logits [B, C]."""
        logits: Tensor = self.classify(feature_map.mean((2, 3)))
        return logits

    def attention(self, feature_map: Tensor) -> Tensor:
        """Return where each class looks: [B, C, t, f], see :func:`class_activation`."""
        weight = self.classify.weight[:, :, None, None]
        return class_activation(nn.functional.conv2d(feature_map, weight))


class MlpHead(nn.Module):
    """A hidden layer between the mean of every channel and the logits, MobileNetV3's own head.

    Source: Howard et al. 2019, "Searching for MobileNetV3", table 1; dropout as EfficientAT has it.

    Parameters
    ----------
    in_channels, hidden, classes : int
        D, H and C.
    """

    def __init__(self, in_channels: int, hidden: int, classes: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(in_channels, hidden)
        self.activation, self.dropout = nn.Hardswish(), nn.Dropout(0.2)
        self.classify = nn.Linear(hidden, classes)

    def forward(self, feature_map: Tensor) -> Tensor:
        """Map features [B, D, t, f] to logits [B, C]."""
        return self._logits(feature_map.mean((2, 3)))

    def attention(self, feature_map: Tensor) -> Tensor:
        """Return where each class looks: [B, C, t, f], :func:`class_activation` of each position's own logits."""
        return class_activation(self._logits(feature_map.movedim(1, -1)).movedim(-1, 1))

    def _logits(self, features: Tensor) -> Tensor:
        logits: Tensor = self.classify(self.dropout(self.activation(self.hidden(features))))
        return logits
