"""Where the published weights of networks come from; to read it, nobody waits for torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True)
class WeightsCard:
    """Where published weights come from and on what terms.

    Attributes
    ----------
    name, url, file : str
        Of the file.
    logmel : str
        Name of the log-mel specification that the weights were trained on.
    licence, paper : str
        Terms and source.
    hash : str, optional
        Of the file as ``algorithm:digits``, where it is known.
    """

    name: str
    url: str
    file: str
    logmel: str
    licence: str
    paper: str
    hash: str | None = None


def _panns(name: str, file: str, logmel: str = "panns_32k", hash: str | None = None) -> WeightsCard:
    return WeightsCard(
        name=f"PANNs {name}, AudioSet",
        url=f"https://zenodo.org/records/3987831/files/{quote(file)}",
        file=file,
        logmel=logmel,
        licence="CC BY 4.0 (weights), MIT (code)",
        paper="Kong et al. 2020, PANNs, IEEE/ACM TASLP 28:2880-2894",
        hash=hash,
    )


PANNS: Mapping[str, tuple[WeightsCard, ...]] = {
    "cnn6": (_panns("CNN6", "Cnn6_mAP=0.343.pth", hash="md5:e25e26b84585b14c7754c91e48efc9be"),),
    "cnn10": (_panns("CNN10", "Cnn10_mAP=0.380.pth"),),
    "cnn14": (
        _panns("CNN14", "Cnn14_mAP=0.431.pth"),
        _panns("CNN14 of 16 kHz", "Cnn14_16k_mAP=0.438.pth", "panns_16k"),
        _panns("CNN14 of 8 kHz", "Cnn14_8k_mAP=0.416.pth", "panns_8k"),
    ),
    "resnet22": (_panns("ResNet22", "ResNet22_mAP=0.430.pth"),),
    "mobilenetv1": (_panns("MobileNetV1", "MobileNetV1_mAP=0.389.pth"),),
    "mobilenetv2": (_panns("MobileNetV2", "MobileNetV2_mAP=0.383.pth"),),
}
"""The published files of each family, the usual one first."""

EFFICIENTAT_MN04 = WeightsCard(
    name="EfficientAT mn04, AudioSet",
    url="https://github.com/fschmid56/EfficientAT/releases/download/v0.0.1/mn04_as_mAP_432.pt",
    file="mn04_as_mAP_432.pt",
    hash="sha256:899a8c6217063f6941793102a2780b3dd788ab11fce468d9cf5f0577c453321c",
    logmel="efficientat_32k",
    licence="MIT",
    paper="Schmid et al., Efficient Large-Scale Audio Tagging via Transformer-to-CNN Distillation, arXiv:2211.04772",
)
