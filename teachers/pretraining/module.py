"""The Lightning module of a pre-training: losses, learning rate, moving average, and what stops it."""

from pathlib import Path
from typing import Any

from lungsound import cpu_wheels as cpu_wheels  # isort: skip  # before lightning, which imports torchvision

import lightning
import torch
import torch.nn.functional as F
from torch import Tensor

from lungsound.errors import InputError
from teachers.m2d.duo import Duo, DuoOutput
from teachers.m2d.losses import Distance, clip_variance, token_loss
from teachers.m2d.masking import Mask, visible_patches
from teachers.pretraining.offline import OfflineTeacher
from teachers.pretraining.schedules import learning_rate, moving_average, scaled_learning_rate
from teachers.pretraining.settings import PretrainSettings

FIGURES = ("loss", "m2d_loss", "offline_loss", "target_variance", "online_variance")
"""What is logged, each the mean over the steps since the line before."""

COLLAPSED = 1e-3
"""Variance from clip to clip (:func:`teachers.m2d.losses.clip_variance`) below which all sound is the same."""


class PretrainModule(lightning.LightningModule):
    """What trains a :class:`teachers.m2d.duo.Duo`.

    Parameters
    ----------
    duo : Duo
        Trained in place.
    settings : PretrainSettings
        What the training is told.
    epoch_batches : int
        Batches that each process takes in an epoch.
    folder : Path
        The run folder, for sentences.
    teacher : OfflineTeacher, optional
        Of the offline branch.
    """

    figures: Tensor

    def __init__(
        self, duo: Duo, settings: PretrainSettings, epoch_batches: int, folder: Path, teacher: OfflineTeacher | None
    ) -> None:
        super().__init__()
        self.duo, self.settings, self.epoch_batches = duo, settings, epoch_batches
        self.visible = visible_patches(duo.config.grid[0] * duo.config.grid[1], settings.mask_ratio)
        self._folder, self._teacher = folder, teacher
        self.register_buffer("figures", torch.zeros(len(FIGURES) + 1))
        self._recent: list[Tensor] = []
        if settings.compile:
            duo.compile()

    def configure_model(self) -> None:
        """Share parameters out over the processes, block by block, where that is the strategy."""
        if self.settings.strategy == "fsdp" and not hasattr(self.duo.cls_token, "device_mesh"):
            from torch.distributed.fsdp import fully_shard

            mesh = self.device_mesh["data_parallel"]
            for name in ("blocks", "decoder_blocks", "target_blocks"):
                for block in getattr(self.duo, name, ()):
                    fully_shard(block, mesh=mesh)
            fully_shard(self.duo, mesh=mesh)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return AdamW; vectors and scalars do not decay."""
        trained = [parameter for parameter in self.duo.parameters() if parameter.requires_grad]
        groups = [
            {"params": [p for p in trained if p.ndim > 1], "weight_decay": self.settings.weight_decay},
            {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
        ]
        # A scaler of 16-bit gradients must see them before the fused step does.
        fused = self.settings.precision != "16-mixed"
        return torch.optim.AdamW(groups, lr=self.highest_learning_rate, betas=(0.9, 0.95), fused=fused)

    @property
    def highest_learning_rate(self) -> float:
        """That of a step, by the linear rule."""
        return scaled_learning_rate(self.settings.base_learning_rate, self.settings.batch_size)

    def figures_of(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return the loss of a batch, and its `FIGURES` without a graph."""
        output: DuoOutput = self.duo(batch["x"], Mask(batch["order"], self.visible))
        told = self.settings
        distance: Distance = "squared" if told.variant == "mae" else "cosine"
        masked = token_loss(output.prediction, output.target, distance, standardise=told.standardise)
        offline = torch.zeros_like(masked)
        if output.offline is not None:
            if self._teacher is None:
                predicted = output.offline.float().mean(dim=1)
                offline = F.binary_cross_entropy_with_logits(predicted, batch["labels"])
            else:
                target = self._teacher.columns(batch["offline"], output.offline.shape[1])
                offline = token_loss(output.offline, target)
        loss = told.loss_weight * masked + told.offline_weight * offline
        target = clip_variance(output.target, batch["order"][:, self.visible :])
        online = clip_variance(output.latent[:, 1:], batch["order"][:, : self.visible])
        return loss, torch.stack([value.detach().float() for value in (loss, masked, offline, target, online)])

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Set the learning rate by the fraction of the epoch, once a step."""
        if batch_idx % self.settings.accumulate == 0:
            epoch, told = batch_idx / self.epoch_batches, self.settings
            rate = learning_rate(self.highest_learning_rate, epoch, told.epochs, told.warm_up)
            for group in self.trainer.optimizers[0].param_groups:
                group["lr"] = rate

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        """Return the loss of a batch."""
        loss, figures = self.figures_of(batch)
        self._recent.append(figures)
        return loss

    def configure_gradient_clipping(self, optimizer: Any, *_: Any, **__: Any) -> None:
        """Clip the norm of the gradient; stop where it is no number, before it reaches a weight."""
        trained = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        norm = torch.nn.utils.clip_grad_norm_(trained, self.settings.gradient_clip)
        norm = norm.full_tensor() if hasattr(norm, "full_tensor") else norm
        losses = torch.stack(self._recent)[:, 0]
        scaled = self.settings.precision == "16-mixed"  # where a norm that overflows is a step that is left out
        if not (torch.isfinite(losses).all() if scaled else torch.isfinite(norm)):
            self._diverged(losses.tolist(), float(norm))

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Step, drop the gradients, move the target network, and add up the figures of all processes."""
        super().optimizer_step(*args, **kwargs)
        self.zero_grad()  # now: Lightning would keep gradients in memory through the next step's forward pass
        told, done = self.settings, int(args[1] if len(args) > 1 else kwargs["batch_idx"])
        self.duo.average(moving_average(told.tau, told.tau_end, done, self.epoch_batches * told.epochs))
        mine = torch.stack(self._recent).mean(dim=0)
        self._recent = []
        self.figures[:-1] += self.trainer.strategy.reduce(mine, reduce_op="mean")
        self.figures[-1] += 1

    def take_figures(self, place: str) -> dict[str, float]:
        """Return the mean figures since they were taken last.

        Raises
        ------
        InputError
            If the outputs of a network do not vary any more.
        """
        *sums, steps = self.figures.tolist()
        self.figures.zero_()
        means = {name: value / max(1, steps) for name, value in zip(FIGURES, sums, strict=True)}
        watched = ["online_variance"] if self.settings.variant == "mae" else ["target_variance", "online_variance"]
        for name in watched:
            if means[name] < COLLAPSED:
                raise InputError(
                    f"{self._folder}: the training collapsed in {place}: outputs of the {name.split('_')[0]} network "
                    f"differ by {means[name]:.1e} of 1 from clip to clip, so all sound is the same to it; begin a "
                    "new run with a smaller --base-learning-rate, or a --tau nearer to 1"
                )
        if self.settings.offline == "none":
            del means["m2d_loss"], means["offline_loss"]
        return means

    def _diverged(self, losses: list[float], norm: float) -> None:
        batch = self.trainer.fit_loop.epoch_loop.batch_idx
        bad = [(place, loss) for place, loss in enumerate(losses) if not abs(loss) < float("inf")]
        what = f"the norm of the gradient is {norm:g}"
        if bad:
            batch, what = batch - len(losses) + 1 + bad[0][0], f"the loss is {bad[0][1]:g}"
        epoch, place = divmod(batch, self.epoch_batches)
        kept = self._folder / "checkpoints" / "last.ckpt"
        left = f"{kept} holds the last that was good" if kept.is_file() else "no checkpoint was due before it"
        raise InputError(
            f"{self._folder}: the training diverged in epoch {epoch + 1}, batch {place + 1}: {what}; begin a new run "
            f"with a smaller --base-learning-rate ({left})"
        )
