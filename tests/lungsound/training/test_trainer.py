"""A training that is killed and resumed reaches the weights of one that was not."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from full_disk import files_up_to
from torch import Tensor, nn

from lungsound.errors import InputError
from lungsound.logmel import SPECS
from lungsound.scores.watch import WatchAuroc
from lungsound.training.optimisation import Optimisation, warm_up_cosine
from lungsound.training.settings import AUROC
from lungsound.training.trainer import LabelModule, SeedEachEpoch, fit, make_trainer, resume_path
from lungsound.training.window_dataset import WindowDataset, batches

EPOCHS = 4


class Toy(LabelModule):
    """Draws random numbers on every step: dropout, and noise from each of the three generators."""

    def __init__(self, stop_at: tuple[int, int] | None = None, error: type[BaseException] = RuntimeError) -> None:
        super().__init__(Optimisation(learning_rate=1e-2, weight_decay=0.05))
        torch.manual_seed(5)
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(20, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 2))
        self._stop_at, self._error = stop_at, error

    def logits(self, x: Tensor) -> Tensor:
        return self.net(x)

    def training_step(self, batch: dict[str, Tensor], batch_index: int) -> Tensor:
        if (self.current_epoch, batch_index) == self._stop_at:
            raise self._error("killed")
        x = batch["x"] + torch.randn_like(batch["x"]) + float(np.random.normal())  # noqa: NPY002
        loss = F.binary_cross_entropy_with_logits(self.logits(x), batch["labels"])
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss


def loader(seed: int | None) -> Any:
    draw = np.random.default_rng(0)
    features = draw.normal(size=(50, 5, 4)).astype(np.float32)
    labels = (features.mean(axis=(1, 2)) + 0.3 * draw.normal(size=50) > 0).astype(int)
    both = np.stack([labels, draw.integers(0, 2, 50)], axis=1)
    return batches(WindowDataset(both, features, SPECS["m2d"]), 8, seed)


def train(folder: Path, module: Toy, seed: int = 3) -> Toy:
    fit(
        make_trainer(folder, EPOCHS, seed, monitor=AUROC, callbacks=[WatchAuroc(("crackle", "wheeze"))]),
        module,
        loader(seed),
        loader(None),
        folder,
    )
    return module


def last_weights(folder: Path) -> dict[str, Tensor]:
    return torch.load(resume_path(folder), weights_only=True)["state_dict"]


def check_same(got: dict[str, Tensor], wanted: dict[str, Tensor]) -> None:
    assert got.keys() == wanted.keys()
    for name in wanted:
        assert torch.equal(got[name], wanted[name]), name


@pytest.mark.parametrize("stop_at", [(1, 0), (2, 3), (3, 6)])
def test_resumed_training_equals_uninterrupted_bit_for_bit(tmp_path: Path, stop_at: tuple[int, int]) -> None:
    whole = train(tmp_path / "whole", Toy())
    with pytest.raises(RuntimeError, match="killed"):
        train(tmp_path / "resumed", Toy(stop_at))
    torch.manual_seed(99)  # whatever the new process has drawn before
    resumed = train(tmp_path / "resumed", Toy())
    check_same(last_weights(tmp_path / "resumed"), last_weights(tmp_path / "whole"))
    check_same(resumed.state_dict(), whole.state_dict())


def test_resuming_a_finished_training_changes_nothing(tmp_path: Path) -> None:
    first = train(tmp_path, Toy())
    check_same(train(tmp_path, Toy()).state_dict(), first.state_dict())


def killed(folder: Path, stop_at: tuple[int, int] = (2, 3)) -> Path:
    """Train until a kill, and return the checkpoint to go on from."""
    with pytest.raises(RuntimeError, match="killed"):
        train(folder, Toy(stop_at))
    return folder / "checkpoints" / "last.ckpt"


def test_a_cut_checkpoint_is_refused_and_training_begins_anew_without_it(tmp_path: Path) -> None:
    whole = train(tmp_path / "whole", Toy())
    last = killed(tmp_path / "resumed")
    last.write_bytes(last.read_bytes()[:-1000])
    with pytest.raises(InputError, match=r"last\.ckpt: damaged .* remove it and train from the beginning"):
        train(tmp_path / "resumed", Toy())
    last.unlink()
    check_same(train(tmp_path / "resumed", Toy()).state_dict(), whole.state_dict())


@pytest.mark.parametrize(
    "change",
    [
        lambda state: state.pop("optimizer_states"),
        lambda state: state.pop("state_dict"),
        lambda state: state.update(state_dict={}),
        lambda state: state.update(optimizer_states=[{"state": 3}]),
        lambda state: state.update(lr_schedulers=["one"]),
        lambda state: state.update(loops={"fit_loop": 3}),
    ],
)
def test_a_whole_checkpoint_of_another_making_is_refused(tmp_path: Path, change: Callable[[dict], object]) -> None:
    last = killed(tmp_path, (1, 0))
    state = torch.load(last, weights_only=True)
    change(state)
    torch.save(state, last)
    with pytest.raises(InputError, match=r"last\.ckpt: damaged"):
        train(tmp_path, Toy())


def test_a_full_disk_keeps_the_last_good_checkpoint(tmp_path: Path) -> None:
    whole = train(tmp_path / "whole", Toy())
    last = killed(tmp_path / "full")
    before = last.read_bytes()
    with files_up_to(len(before) // 2), pytest.raises(InputError, match=r"\.ckpt: the disk is full"):
        train(tmp_path / "full", Toy())
    assert last.read_bytes() == before
    assert sorted(path.name for path in last.parent.iterdir()) == ["best.ckpt", "last.ckpt"]
    check_same(train(tmp_path / "full", Toy()).state_dict(), whole.state_dict())


def test_seed_decides_the_weights(tmp_path: Path) -> None:
    train(tmp_path / "a", Toy(), seed=3)
    train(tmp_path / "b", Toy(), seed=4)
    a, b = (last_weights(tmp_path / name) for name in "ab")
    assert not torch.equal(a["net.1.weight"], b["net.1.weight"])


def test_best_epoch_by_validation_is_kept(tmp_path: Path) -> None:
    module = train(tmp_path, Toy())
    with next((tmp_path / "log").rglob("metrics.csv")).open() as file:
        rows = [row for row in csv.DictReader(file) if row["val_auroc"]]
    areas = [float(row["val_auroc"]) for row in rows]
    assert len(areas) == EPOCHS
    best = torch.load(tmp_path / "checkpoints" / "best.ckpt", weights_only=True)
    assert best["epoch"] == int(np.argmax(areas))
    check_same(module.state_dict(), best["state_dict"])
    assert torch.load(resume_path(tmp_path), weights_only=True)["epoch"] == EPOCHS - 1
    first = rows[0]
    assert float(first["val_auroc"]) == pytest.approx(
        (float(first["val_auroc_crackle"]) + float(first["val_auroc_wheeze"])) / 2
    )


def test_figures_go_to_stderr(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    train(tmp_path, Toy())
    out, err = capfd.readouterr()
    assert out == ""
    assert f"epoch {EPOCHS}/{EPOCHS}" in err
    assert "val_auroc" in err


def test_interrupt_reaches_the_command(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, Toy((1, 2), KeyboardInterrupt))
    assert resume_path(tmp_path) is not None


def test_nothing_to_resume(tmp_path: Path) -> None:
    assert resume_path(tmp_path) is None


def test_epochs_draw_different_numbers() -> None:
    class At:
        current_epoch = 0

    drawn = []
    for At.current_epoch in (0, 1, 0):
        SeedEachEpoch(7).on_train_batch_start(At, None, None, 0)
        drawn.append(float(torch.rand(())))
    assert drawn[0] == drawn[2] != drawn[1]


def test_learning_rate_rises_linearly_then_falls_on_a_half_cosine() -> None:
    rates = np.array([warm_up_cosine(step, 100) for step in range(101)])
    assert rates[:10] == pytest.approx(np.arange(1, 11) / 10)
    assert rates[10:] == pytest.approx(0.5 + 0.5 * np.cos(np.pi * np.arange(91) / 90))
    assert warm_up_cosine(0, 1) == 1.0


def test_only_matrices_decay(tmp_path: Path) -> None:
    module = train(tmp_path, Toy())
    decaying, others = module.optimizers().param_groups
    assert {parameter.ndim for parameter in decaying["params"]} == {2}
    assert decaying["weight_decay"] == 0.05
    assert {parameter.ndim for parameter in others["params"]} == {1}
    assert others["weight_decay"] == 0.0
