"""Masked Modeling Duo: an online encoder and a predictor learn what a target network makes of hidden patches."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple, cast

import torch
from torch import Tensor, nn

from lungsound.errors import InputError
from teachers.fusion import stack_frequency
from teachers.m2d.config import M2DConfig
from teachers.m2d.encoder import M2DEncoder, draw_weights, position_table, transformer_blocks
from teachers.m2d.masking import Mask

Variant = Literal["m2d", "all-patches", "mae"]
"""What the target is: the target network's view of the hidden patches alone, of all patches, or the patches."""

Averaged = Literal["blocks", "all"]
"""Of what the target network has a copy: M2D's code has one of blocks and final norm, its paper a full one."""

PREDICTORS = {"tiny": (64, 2, 2), "small": (256, 8, 8), "base": (512, 8, 16), "large": (512, 8, 16)}
"""Width, blocks and heads of the predictor by the encoder's size; only base and large are published."""


@dataclass(frozen=True, slots=True)
class DuoConfig:
    """Everything that decides the shape of what is pre-trained.

    Attributes
    ----------
    encoder : M2DConfig
        Of the online encoder.
    predictor : tuple of int
        Width, blocks and heads.
    variant : {"m2d", "all-patches", "mae"}
        See `Variant`.
    averaged : {"blocks", "all"}
        See `Averaged`.
    offline : int
        Features of the offline target of M2D-X; 0 without one.
    """

    encoder: M2DConfig
    predictor: tuple[int, int, int]
    variant: Variant = "m2d"
    averaged: Averaged = "blocks"
    offline: int = 0

    def __post_init__(self) -> None:
        if self.offline and self.variant == "mae":
            raise InputError("an offline target needs predictions of features; choose the variant m2d or all-patches")


class DuoOutput(NamedTuple):
    """What a step of training compares.

    Attributes
    ----------
    latent : Tensor of float, shape [B, 1 + visible, D]
        The online encoder's output, class token first.
    prediction, target : Tensor of float, shape [B, hidden, D]
        In shuffled order; of the masked autoencoder [B, hidden, patch mels * patch frames].
    offline : Tensor of float, shape [B, Nt, offline], or None
        The offline branch's prediction for every column of patches.
    """

    latent: Tensor
    prediction: Tensor
    target: Tensor
    offline: Tensor | None


class Duo(M2DEncoder):
    """Online encoder, predictor and target network (Niizumi et al. 2023), under the published names.

    The class token's and the patches' embedding, and the positions, are the online encoder's for both networks unless
    all is averaged. Nothing of the target network is trained.

    Parameters
    ----------
    config : DuoConfig
        Its shape.
    """

    duo: DuoConfig
    decoder_pos_embed: Tensor

    def __init__(self, config: DuoConfig) -> None:
        super().__init__(config.encoder)
        self.duo = config
        encoder, (width, depth, heads) = config.encoder, config.predictor
        pixels = encoder.patch_size[0] * encoder.patch_size[1]
        self.mask_token = nn.Parameter(torch.zeros(1, 1, width))
        self.register_buffer("decoder_pos_embed", position_table(width, encoder.grid))
        self.decoder_embed = nn.Linear(encoder.embed_dim, width)
        self.decoder_blocks = transformer_blocks(width, depth, heads)
        self.decoder_norm = nn.LayerNorm(width, eps=1e-6)
        self.decoder_pred = nn.Linear(width, pixels if config.variant == "mae" else encoder.embed_dim)
        if config.variant != "mae":
            self.target_blocks = transformer_blocks(encoder.embed_dim, encoder.depth, encoder.heads)
            self.target_norm = nn.LayerNorm(encoder.embed_dim, eps=1e-6)
            if config.averaged == "all":
                patch = encoder.patch_size
                proj = nn.Conv2d(1, encoder.embed_dim, kernel_size=patch, stride=patch)
                self.target_patch_embed = nn.ModuleDict({"proj": proj})
                self.target_cls_token = nn.Parameter(torch.zeros(1, 1, encoder.embed_dim))
                nn.init.normal_(self.target_cls_token, std=0.02)
        if config.offline:
            self.offline_predictor = nn.Linear(encoder.grid[0] * encoder.embed_dim, config.offline)
        nn.init.normal_(self.mask_token, std=0.02)
        for name, module in self.named_children():
            if name.startswith(("decoder", "target", "offline")):
                draw_weights(module)
        for target, _ in self.averaged_pairs():
            target.requires_grad_(False)

    def averaged_pairs(self) -> Iterator[tuple[nn.Parameter, nn.Parameter]]:
        """Yield every parameter of the target network with that of the online encoder of which it is an average."""
        parameters = dict(self.named_parameters())
        for name, target in parameters.items():
            if name.startswith("target_"):
                yield target, parameters[name.removeprefix("target_")]

    @torch.no_grad()
    def copy_to_target(self) -> None:
        """Start the target network from the online encoder, as the paper says; the code draws its own weights."""
        for target, online in self.averaged_pairs():
            target.copy_(online)

    @torch.no_grad()
    def average(self, tau: float) -> None:
        """Move the target network: ``target = tau * target + (1 - tau) * online``."""
        pairs = list(self.averaged_pairs())
        if pairs:
            # Shards of the same shape lie on the same ranks, so that each rank averages its own.
            targets, onlines = ([_local(parameter) for parameter in side] for side in zip(*pairs, strict=True))
            torch._foreach_lerp_(targets, onlines, 1 - tau)

    def forward(self, x: Tensor, mask: Mask) -> DuoOutput:  # type: ignore[override]
        """Run both networks on a batch of crops.

        Parameters
        ----------
        x : Tensor of float, shape [B, 1, mels, frames]
            Normalised log-mels, as wide as a chunk.
        mask : Mask
            Of each sample.
        """
        tokens = self._tokens(self.patch_embed["proj"], x)
        latent = self.norm(_run(self.blocks, self._with_class(self.cls_token, mask.take_visible(tokens))))
        prediction = self._predict(latent, mask)
        with torch.no_grad():
            target = self._target(x, tokens.detach(), mask)
        offline = self._offline(latent, prediction, mask) if self.duo.offline else None
        return DuoOutput(latent, prediction, target, offline)

    def _tokens(self, proj: nn.Module, x: Tensor) -> Tensor:
        return cast(Tensor, proj(x)).flatten(2).transpose(1, 2) + self.pos_embed[:, 1:]

    def _with_class(self, token: Tensor, tokens: Tensor) -> Tensor:
        return torch.cat([(token + self.pos_embed[:, :1]).expand(len(tokens), -1, -1), tokens], dim=1)

    def _predict(self, latent: Tensor, mask: Mask) -> Tensor:
        embedded = self.decoder_embed(latent)
        hidden = self.mask_token.to(embedded.dtype).expand(len(latent), mask.order.shape[1] - mask.visible, -1)
        grid = mask.to_grid(torch.cat([embedded[:, 1:], hidden], dim=1))
        tokens = torch.cat([embedded[:, :1], grid], dim=1) + self.decoder_pos_embed
        tokens = self.decoder_norm(_run(self.decoder_blocks, tokens))
        return cast(Tensor, self.decoder_pred(mask.take_hidden(tokens[:, 1:])))

    def _target(self, x: Tensor, tokens: Tensor, mask: Mask) -> Tensor:
        if self.duo.variant == "mae":
            return mask.take_hidden(patches(x, self.config.patch_size))
        token: Tensor = self.cls_token
        if self.duo.averaged == "all":
            tokens, token = self._tokens(self.target_patch_embed["proj"], x), self.target_cls_token
        if self.duo.variant == "m2d":
            tokens = mask.take_hidden(tokens)
        seen = self.target_norm(_run(self.target_blocks, self._with_class(token, tokens)))[:, 1:]
        return seen if self.duo.variant == "m2d" else mask.take_hidden(seen)

    def _offline(self, latent: Tensor, prediction: Tensor, mask: Mask) -> Tensor:
        tokens = mask.to_grid(torch.cat([latent[:, 1:], prediction.to(latent.dtype)], dim=1))
        return cast(Tensor, self.offline_predictor(stack_frequency(tokens.reshape(len(tokens), *self.config.grid, -1))))


def patches(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Return the values of patches [B, N, mels * frames] of log-mels [B, 1, mels, frames], frequency-major."""
    return nn.functional.unfold(x, size, stride=size).transpose(1, 2)


def _run(blocks: nn.ModuleList, tokens: Tensor) -> Tensor:
    for block in blocks:
        tokens = block(tokens)
    return tokens


def _local(parameter: nn.Parameter) -> Tensor:
    return parameter.to_local() if hasattr(parameter, "to_local") else parameter
