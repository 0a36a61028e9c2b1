from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from lungsound.logmel import SPECS
from lungsound.training.optimisation import Optimisation
from lungsound.training.window_dataset import WindowDataset, batches
from teachers.classes import ClassLoss
from teachers.finetune import FinetuneModule, SpecAugment, train_teacher
from teachers.m2d.config import M2DConfig
from teachers.teacher import Teacher, TeacherConfig

CONFIG = TeacherConfig(M2DConfig(16, 2, 2, (80, 48), (16, 16)))


def small_teacher() -> Teacher:
    torch.manual_seed(0)
    return Teacher(CONFIG)


def loader(seed: int | None) -> Any:
    """32 windows whose low mels are loud where there is a crackle, late frames where there is a wheeze."""
    draw = np.random.default_rng(1)
    labels = draw.integers(0, 2, (32, 2))
    features = draw.normal(size=(32, 48, 80)).astype(np.float32)
    features[:, :, :16] += 2 * labels[:, :1, None]
    features[:, 32:, 48:] += 2 * labels[:, 1:, None]
    return batches(WindowDataset(labels, features, SPECS["m2d"].with_statistics(0, 1)), 16, seed)


def train(folder: Path, teacher: Teacher | None = None, *, epochs: int = 8, **options: Any) -> Teacher:
    teacher = teacher or small_teacher()
    data = loader(3), loader(None)
    told = {"optimisation": Optimisation(5e-3, 0.05), "augment": SpecAugment(10, 4)}
    train_teacher(teacher, *data, folder, epochs=epochs, seed=3, **told, **options)
    return teacher


def test_teacher_learns_both_labels_and_its_fusion(tmp_path: Path) -> None:
    teacher = train(tmp_path).eval()
    hits = []
    for batch in loader(None):
        with torch.inference_mode():
            hits.append((teacher(batch["x"]).logits > 0) == batch["labels"].bool())
    assert torch.cat(hits).float().mean() > 0.9
    assert (teacher.fusion.weight != 1).all()


def test_frozen_patches_stay(tmp_path: Path) -> None:
    before = small_teacher().encoder.state_dict()
    teacher = small_teacher()
    after = train(tmp_path, teacher, epochs=1, frozen=teacher.encoder.kept).encoder.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {name for name in before if not name.startswith(("patch_embed", "pos_embed", "norm_stats"))}


def test_resumed_equals_uninterrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = train(tmp_path / "whole", epochs=2).state_dict()
    step = FinetuneModule.training_step

    def killed(self: FinetuneModule, batch: dict[str, torch.Tensor], batch_index: int) -> torch.Tensor:
        if (self.current_epoch, batch_index) == (1, 1):
            raise RuntimeError("killed")
        return step(self, batch, batch_index)

    monkeypatch.setattr(FinetuneModule, "training_step", killed)
    with pytest.raises(RuntimeError, match="killed"):
        train(tmp_path / "resumed", epochs=2)
    monkeypatch.setattr(FinetuneModule, "training_step", step)
    resumed = train(tmp_path / "resumed", epochs=2).state_dict()
    for name in whole:
        assert torch.equal(resumed[name], whole[name]), name


def test_the_loss_is_cross_entropy_of_each_label() -> None:
    teacher = small_teacher().eval()
    module = FinetuneModule(teacher, Optimisation(1e-3, 0.0), torch.nn.Identity())
    module.log = lambda *args, **options: None
    batch = next(iter(loader(None)))
    with torch.inference_mode():
        logits, labels = teacher(batch["x"]).logits.double(), batch["labels"].double()
        wanted = -(labels * F.logsigmoid(logits) + (1 - labels) * F.logsigmoid(-logits)).mean()
        torch.testing.assert_close(module.training_step(batch, 0).double(), wanted, rtol=1e-5, atol=1e-6)


def test_masks_are_bands_and_spans_of_the_allowed_width() -> None:
    torch.manual_seed(0)
    x = torch.ones(400, 1, 30, 20)
    masked = SpecAugment(frequency_mask=5, time_mask=8)(x) == 0
    bands, spans = masked.all(dim=2)[:, 0], masked.all(dim=3)[:, 0]
    assert torch.equal(masked[:, 0], bands[:, None, :] | spans[:, :, None])
    for blanked, width in ((bands, 5), (spans, 8)):
        counts = blanked.sum(dim=1)
        assert counts.max() <= 2 * width
        assert counts.unique().numel() > width
        assert (counts.float().mean() - (width - 1)).abs() < 1.0  # two masks of half the width, less their overlap
    assert (bands[0] != bands[1]).any() or (spans[0] != spans[1]).any()
    assert torch.equal(SpecAugment(0, 0)(x), x)


def test_a_batch_is_masked_as_a_whole_or_not_at_all() -> None:
    torch.manual_seed(0)
    x = torch.ones(8, 1, 30, 20)
    masked = [(SpecAugment(15, 20, 0.8413)(x) == 0).any(dim=(1, 2, 3)) for _ in range(2000)]
    left = torch.tensor([not batch.any() for batch in masked])
    assert abs(left.float().mean() - 0.1587) < 3 * (0.16 * 0.84 / 2000) ** 0.5
    assert torch.stack([batch for batch in masked if batch.any()]).float().mean() > 0.95


def test_a_teacher_of_classes_learns_labels(tmp_path: Path) -> None:
    teacher = small_teacher()
    combinations = ((0, 0), (1, 0), (0, 1), (1, 1))
    teacher.tell_apart(combinations)
    train(tmp_path, teacher, loss=ClassLoss(combinations)).eval()
    batch = next(iter(loader(None)))
    with torch.inference_mode():
        hits = (teacher(batch["x"]).logits > 0) == batch["labels"].bool()
    assert hits.float().mean() > 0.9
