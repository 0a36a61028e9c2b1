"""Where the published weights of networks come from; to read it, nobody waits for torch."""

from dataclasses import dataclass


@dataclass(frozen=True)
class WeightsCard:
    """Where published weights come from and on what terms.

    Attributes
    ----------
    name, url, file, hash : str
        Of the file; the hash as ``algorithm:digits``.
    logmel : str
        Name of the log-mel specification that the weights were trained on.
    licence, paper : str
        Terms and source.
    """

    name: str
    url: str
    file: str
    hash: str
    logmel: str
    licence: str
    paper: str


PANNS_CNN6 = WeightsCard(
    name="PANNs CNN6, AudioSet",
    url="https://zenodo.org/records/3987831/files/Cnn6_mAP%3D0.343.pth",
    file="Cnn6_mAP=0.343.pth",
    hash="md5:e25e26b84585b14c7754c91e48efc9be",
    logmel="panns_32k",
    licence="CC BY 4.0 (weights), MIT (code)",
    paper="Kong et al. 2020, PANNs, IEEE/ACM TASLP 28:2880-2894",
)
