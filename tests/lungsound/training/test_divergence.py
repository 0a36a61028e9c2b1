"""A training that diverges ends in a sentence, and what was good before stays."""

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from distill.module import DistillModule
from distill.training import distill
from lungsound.errors import InputError
from lungsound.labels import LABELS
from lungsound.logmel import SPECS
from lungsound.scores.watch import WatchAuroc
from lungsound.training.optimisation import Optimisation
from lungsound.training.runs import RUN_FILE, Run
from lungsound.training.settings import AUROC
from lungsound.training.trainer import LabelModule, fit, make_trainer, resume_path
from lungsound.training.window_dataset import WindowDataset, batches


class Diverging(LabelModule):
    """A network in which one thing is no number from epoch 2, batch 3 on."""

    def __init__(self, what: str = "") -> None:
        super().__init__(Optimisation(learning_rate=1e-2, weight_decay=0.0))
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(20, 2))
        self.register_buffer("running", torch.zeros(1))
        self._what, self._now = what, False

    def logits(self, x: Tensor) -> Tensor:
        logits = self.net(x)
        return logits * math.inf if self._now and self._what == "logits" and not self.training else logits

    def training_step(self, batch: dict[str, Tensor], batch_index: int) -> Tensor:
        self._now = self._now or (self.current_epoch, batch_index) == (1, 2)
        loss = F.binary_cross_entropy_with_logits(self.logits(batch["x"]), batch["labels"])
        if self._now and self._what == "loss":
            return loss * math.nan
        if self._now and self._what == "gradient":  # the slope of a root at 0
            return loss + torch.sqrt(0 * self.net[1].weight.sum())
        if self._now and self._what == "buffer":
            self.running.fill_(math.inf)
        return loss


def loader(seed: int | None) -> Any:
    draw = torch.Generator().manual_seed(0)
    features = torch.randn(40, 5, 4, generator=draw).numpy()
    labels = torch.randint(0, 2, (40, 2), generator=draw).numpy()
    return batches(WindowDataset(labels, features, SPECS["m2d"].with_statistics(0, 1)), 8, seed)


def train(folder: Any, module: Diverging, epochs: int) -> None:
    trainer = make_trainer(folder, epochs, 0, monitor=AUROC, callbacks=[WatchAuroc(LABELS)], gradient_clip=1.0)
    fit(trainer, module, loader(0), loader(None), folder)


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("loss", r"epoch 2, batch 3: the loss is nan"),
        ("gradient", r"epoch 2, batch 3: the norm of the gradient is (inf|nan)"),
        ("buffer", r"epoch 2, batch 5: running holds a value that is not finite"),
        ("logits", r"epoch 2, batch 5: a logit on validation is not finite"),
    ],
)
def test_epoch_and_batch_are_named_and_the_good_checkpoint_stays(tmp_path, what, sentence):
    with pytest.raises(InputError, match=rf"^{tmp_path}: the training diverged in {sentence}; .*epoch 1 is kept"):
        train(tmp_path, Diverging(what), 3)
    kept = torch.load(resume_path(tmp_path), weights_only=True)
    assert kept["epoch"] == 0
    assert all(torch.isfinite(value).all() for value in kept["state_dict"].values())
    train(tmp_path, Diverging(), 3)  # a fault of the machine does not come again
    assert torch.load(resume_path(tmp_path), weights_only=True)["epoch"] == 2


def test_a_diverged_student_is_no_finished_run(small_settings, place, monkeypatch):
    folder = place / "runs" / "diverged"
    step = DistillModule.training_step

    def diverge(self, batch, batch_index):
        return step(self, batch, batch_index) * (math.nan if self.current_epoch else 1)

    with monkeypatch.context() as patch:
        patch.setattr(DistillModule, "training_step", diverge)
        for _ in range(2):  # resumed, it comes to the same place
            with pytest.raises(InputError, match=r"diverged in epoch 2, batch 1: the loss is nan.*--learning-rate"):
                distill(small_settings, folder, place / "cache")
    assert not (folder / RUN_FILE).exists()
    with pytest.raises(InputError, match="no finished run"):
        Run.load(folder)


def test_nothing_but_a_sentence_comes_of_the_first_batch(tmp_path):
    module = Diverging("loss")
    module._now = True
    with pytest.raises(InputError, match=r"epoch 1, batch 1: .*no epoch was whole"):
        train(tmp_path, module, 1)
    assert resume_path(tmp_path) is None
