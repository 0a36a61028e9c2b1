"""M2D's step as one first writes it: what `pretrain_step.py` holds ours against.

Attention is two matrix products and a softmax whose scores stay in memory. Both encoders run over every patch, the
class token and all others, and what each may not see is masked out of its scores and dropped at the end. The target
network keeps its graph until the step ends. The loss is that of :class:`teachers.m2d.duo.Duo`.
"""

import torch
from torch import Tensor, nn

from teachers.m2d.duo import Duo
from teachers.m2d.losses import token_loss


def attention(layer, x: Tensor, seen: Tensor | None) -> Tensor:
    """Attend to the tokens that are `seen`, bool [B, T]; to all without."""
    batch, tokens, width = x.shape
    query, key, value = layer.qkv(x).reshape(batch, tokens, 3, layer.num_heads, -1).permute(2, 0, 3, 1, 4)
    scores = query @ key.transpose(-2, -1) * layer.scale
    if seen is not None:
        scores = scores.masked_fill(~seen[:, None, None], float("-inf"))
    return layer.proj((scores.softmax(dim=-1) @ value).transpose(1, 2).reshape(batch, tokens, width))


def run(blocks: nn.ModuleList, norm: nn.Module, x: Tensor, seen: Tensor | None = None) -> Tensor:
    for block in blocks:
        x = x + attention(block.attn, block.norm1(x), seen)
        x = x + block.mlp(block.norm2(x))
    return norm(x)


class PlainStep:
    """A step of training of a network, which has its weights.

    Parameters
    ----------
    duo : Duo
        Of the variant ``m2d``, without an offline branch.
    learning_rate, weight_decay, gradient_clip, tau : float
        Constant.
    """

    def __init__(self, duo: Duo, learning_rate: float, weight_decay: float, gradient_clip: float, tau: float) -> None:
        self.duo, self.gradient_clip, self.tau = duo, gradient_clip, tau
        trained = [parameter for parameter in duo.parameters() if parameter.requires_grad]
        groups = [
            {"params": [p for p in trained if p.ndim > 1], "weight_decay": weight_decay},
            {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(groups, lr=learning_rate, betas=(0.9, 0.95))
        for target, _ in duo.averaged_pairs():
            target.requires_grad_(True)

    def forward(self, x: Tensor, order: Tensor, visible: int) -> tuple[Tensor, Tensor]:
        """Return predictions and targets of the hidden patches [B, hidden, D], both with a graph."""
        duo, clips = self.duo, torch.arange(len(x), device=x.device)[:, None]
        rank = order.argsort(dim=1)
        class_token = torch.ones(len(x), 1, dtype=torch.bool, device=x.device)
        shown, hidden = torch.cat([class_token, rank < visible], 1), torch.cat([class_token, rank >= visible], 1)
        patches = duo.patch_embed["proj"](x).flatten(2).transpose(1, 2)
        tokens = torch.cat([duo.cls_token.expand(len(x), -1, -1), patches], dim=1) + duo.pos_embed

        embedded = duo.decoder_embed(run(duo.blocks, duo.norm, tokens, shown))
        embedded = torch.where(shown[..., None], embedded, duo.mask_token.to(embedded.dtype))
        predicted = duo.decoder_pred(run(duo.decoder_blocks, duo.decoder_norm, embedded + duo.decoder_pos_embed))
        target = run(duo.target_blocks, duo.target_norm, tokens, hidden)
        return predicted[:, 1:][clips, order[:, visible:]], target[:, 1:][clips, order[:, visible:]]

    def losses(self, x: Tensor, order: Tensor, visible: int) -> tuple[Tensor, Tensor]:
        """Return the loss, and the target whose graph lives as long as it does."""
        prediction, target = self.forward(x, order, visible)
        return token_loss(prediction, target.detach()), target

    def update(self) -> None:
        """Clip the gradients, step and average."""
        trained = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
        torch.nn.utils.clip_grad_norm_(trained, self.gradient_clip)
        self.optimizer.step()
        self.optimizer.zero_grad()
        with torch.no_grad():
            for target, online in self.duo.averaged_pairs():
                target.copy_(self.tau * target + (1 - self.tau) * online)
