"""What networks hear of a batch of crops, computed where the batch lies: log-mels of sound, noise, normalisation."""

from dataclasses import dataclass

import torch
from torch import Tensor

from lungsound.errors import InputError
from lungsound.logmel import LogMelSpec
from lungsound.networks.logmel import LogMel
from teachers.pretraining.sound.batches import Batch, Noise
from teachers.pretraining.sound.noise import mix

_FULL_SCALE = 32768.0


class Ear:
    """A log-mel of crops.

    Parameters
    ----------
    logmel : LogMelSpec
        With the mean and standard deviation that normalise it.
    fill : float
        Log-mel after the end of a short clip.
    """

    def __init__(self, logmel: LogMelSpec, fill: float) -> None:
        self.logmel, self._fill = logmel, fill
        self._of_pieces = LogMel(logmel, pieces=True)

    @torch.no_grad()
    def log_mels(self, batch: Batch, whose: str = "") -> Tensor:
        """Return the log-mels of a batch of :class:`teachers.pretraining.sound.batches.Crops`, before normalisation.

        Parameters
        ----------
        batch : dict of Tensor
            On any device.
        whose : str
            What the names of these crops begin with: nothing, or ``teacher_``.

        Returns
        -------
        Tensor, float32 [B, frames, mels]
        """
        if f"{whose}sound" not in batch:
            return batch[f"{whose}crop"]
        sound, frames = batch[f"{whose}sound"], batch[f"{whose}frames"]
        # A mean over thousands of bins and a logarithm: 8 bits of bfloat16 would not do.
        with torch.autocast(sound.device.type, enabled=False):
            heard: Tensor = self._of_pieces.to(sound.device)(sound.float() / _FULL_SCALE)
        ended = torch.arange(heard.shape[1], device=heard.device) >= frames[:, None]
        heard = heard.masked_fill(ended[:, :, None], self._fill)
        if f"{whose}crop" not in batch:
            return heard
        both = heard.new_empty(len(batch["sharded"]), *heard.shape[1:])
        both[batch["sharded"]], both[~batch["sharded"]] = heard, batch[f"{whose}crop"]
        return both


@dataclass(frozen=True)
class Hearing:
    """From a batch of crops to the inputs of the networks.

    Attributes
    ----------
    ear : Ear
        M2D's.
    noise : Noise, optional
        Where it goes.
    clean : bool
        Whether the offline target hears the same log-mels as M2D, by the routing of the noise.
    teacher : Ear, optional
        The offline teacher's, where that is another log-mel.
    """

    ear: Ear
    noise: Noise | None = None
    clean: bool = False
    teacher: Ear | None = None

    @property
    def statistics(self) -> tuple[float, float]:
        """Mean and standard deviation of what M2D hears."""
        return self.ear.logmel.mean, self.ear.logmel.std

    @torch.no_grad()
    def __call__(self, batch: Batch | str) -> Batch:
        """Return what the networks hear.

        Parameters
        ----------
        batch : dict of Tensor or str
            From :class:`teachers.pretraining.sound.batches.Crops`.

        Returns
        -------
        dict of Tensor
            ``x``, what M2D hears, float32 [B, 1, mels, frames]; ``order``, int64 [B, patches]. Where they are wanted:
            ``offline``, what the offline teacher hears, as `x` of its own log-mel; ``labels``, float32 [B, labels].

        Raises
        ------
        InputError
            If the batch says why it could not be read.
        """
        if isinstance(batch, str):
            raise InputError(batch)
        mean, std = self.statistics
        online = offline = self.ear.log_mels(batch) - mean
        if self.noise is not None:
            noisy = mix(online, batch["noise"] - self.noise.mean, self.noise.share)
            online, offline = (noisy, offline) if self.noise.online else (online, noisy)
        heard = {"x": _as_images(online / std)}
        if self.teacher is not None:
            theirs = self.teacher.logmel
            heard["offline"] = _as_images((self.teacher.log_mels(batch, "teacher_") - theirs.mean) / theirs.std)
        elif self.clean:
            heard["offline"] = _as_images(offline / std)
        return heard | {name: batch[name] for name in ("order", "labels") if name in batch}


def _as_images(crops: Tensor) -> Tensor:
    return crops.transpose(1, 2).contiguous()[:, None]
