"""The first convolution of a trunk, made for as many channels as its spectrogram has."""

from torch import nn

from lungsound.errors import InputError


def take_channels(trunk: nn.Module, channels: int) -> None:
    """Let a trunk that was made for one channel take several; every channel begins with its share of the weights.

    Parameters
    ----------
    trunk : nn.Module
        Changed in place.
    channels : int
        Of its spectrograms.

    Raises
    ------
    InputError
        If it has no convolution of one channel, or more than one.
    """
    stems = [name for name, part in trunk.named_modules() if isinstance(part, nn.Conv2d) and part.in_channels == 1]
    if len(stems) != 1:
        raise InputError(
            f"a trunk with {len(stems)} convolutions of one channel cannot take {channels} channels; choose a front "
            "end that gives one (leaf-pcen), or another student"
        )
    stem = trunk.get_submodule(stems[0])
    assert isinstance(stem, nn.Conv2d)
    stem.weight = nn.Parameter(stem.weight.detach().repeat(1, channels, 1, 1) / channels)
    stem.in_channels = channels
