"""The plainest head: the mean over positions and a linear layer."""

from torch import Tensor, nn


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
        """Return what every position adds to each class beside the others, [B, C, t, f], summing to one.

        The class activation map of the linear layer (Zhou et al. 2016, "Learning deep features for discriminative
        localization", equation 2) after a softmax over positions.
        """
        weight = self.classify.weight[:, :, None, None]
        scores = nn.functional.conv2d(feature_map, weight)
        return scores.flatten(2).softmax(-1).reshape(scores.shape)
