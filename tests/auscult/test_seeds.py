"""`auscult finetune --seeds`: a run for each seed, as if it had been trained alone, and what they say together."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from lungsound.errors import InputError
from lungsound.training.runs import Run
from teachers.classes import combinations_of
from teachers.finetune import FinetuneModule
from teachers.teacher import Teacher


@pytest.fixture
def words(small_options, place, tmp_path):
    """A short training of the small teacher from two seeds."""
    data = ["--data", f"icbhi2017:{place / 'corpus'}", "--protocol", "stream", "--seconds", 2, "--validation", 0.34]
    return ["finetune", *data, "--epochs", 1, "--seeds", 2, "--runs", tmp_path / "runs"]


@pytest.mark.slow
def test_two_seeds_interrupted_in_the_second(auscult, words, small_teacher, tmp_path, monkeypatch):
    step = FinetuneModule.training_step

    def stopped(self, batch, batch_index):
        if Path(self.trainer.logger.save_dir).name == "seed-1":
            raise KeyboardInterrupt
        return step(self, batch, batch_index)

    monkeypatch.setattr(FinetuneModule, "training_step", stopped)
    assert auscult(*words, "--fusion", "2,4")[0] == 130
    monkeypatch.setattr(FinetuneModule, "training_step", step)
    (folder,) = (tmp_path / "runs").iterdir()
    found = json.loads(auscult("runs", folder.parent, "--json")[1])
    assert ([row["name"] for row in found["runs"]], found["unfinished"]) == ([f"{folder.name}/seed-0"], [folder.name])

    code, said, told = auscult("finetune", "--resume", folder, "--json")
    assert code == 0, told
    assert f"{folder / 'seed-0'}, trained before" in told.replace("\n", "")
    answer = json.loads(said)
    runs = [Run.load(folder / f"seed-{seed}") for seed in (0, 1)]
    assert [run.seed for run in runs] == [0, 1]
    assert answer["runs"] == [str(run.path) for run in runs]
    alone, *both = (Teacher.load(run.model, run.weights).state_dict() for run in (small_teacher, *runs))
    assert all(alone[name].equal(both[0][name]) for name in alone)
    assert not alone["head.weight"].equal(both[1]["head.weight"])

    for figure, values in {
        "auroc.crackle": [run.validation["auroc"]["crackle"] for run in runs],
        "score": [run.validation["score"] for run in runs],
    }.items():
        spread = answer["validation"][figure]
        deviation = abs(values[0] - values[1]) / math.sqrt(2)
        assert spread["values"] == values
        assert (spread["mean"], spread["deviation"]) == pytest.approx((np.mean(values), deviation))
        assert np.diff(spread["interval"]) == pytest.approx(2 * 12.706 * deviation / math.sqrt(2), rel=1e-4)
    layers = answer["layer_weights"]
    assert {layer: spread["values"] for layer, spread in layers.items()} == {
        layer: [state["fusion.weight"][place].item() for state in both] for place, layer in enumerate(("2", "4"))
    }
    kept = json.loads((folder / "seeds.json").read_text())
    assert (kept["validation"], kept["layer_weights"]) == (answer["validation"], layers)
    assert all((place / "layer_weights.png").is_file() for place in (folder, *(run.path for run in runs)))
    found = json.loads(auscult("runs", folder.parent, "--json")[1])
    assert ({row["name"] for row in found["runs"]}, found["unfinished"]) == (
        {f"{folder.name}/seed-{seed}" for seed in (0, 1)},
        [],
    )
    with pytest.raises(InputError, match=r"a run for each of 2 seeds; name one, such as .*seed-0$"):
        Run.load(folder)


def test_labels_that_make_no_classes_leave_nothing(auscult, words, tmp_path, monkeypatch):
    """As where no training window has a crackle."""
    monkeypatch.setattr("teachers.training.combinations_of", lambda truth, labels: combinations_of(0 * truth, labels))
    code, printed, complaint = auscult(*words, "--loss", "weighted-classes")
    assert (code, printed) == (1, "")
    assert "no training window has crackle, so no class tells it; leave --label crackle out" in " ".join(
        complaint.split()
    )
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("wrong", "code", "said"),
    [
        (["--fusion", "2,5"], 1, "fusion of layers (2, 5): choose different layers from 1 to 4, all or last"),
        (["--fusion", "2,2"], 1, "choose different layers from 1 to 4"),
        (["--seed", 2**32 - 1], 1, "2 seeds from 4294967295 on: 4294967295 is the last; begin with a smaller one"),
        (["--seeds", 0], 2, "0 must be a number from 1 to 1000"),
        (["--schedule", "step"], 1, "'schedule' must be warm-up or cosine or cosine-40, got 'step'"),
    ],
)
def test_what_cannot_be_trained_leaves_nothing(auscult, words, tmp_path, wrong, code, said):
    ended, printed, complaint = auscult(*words, *wrong)
    assert (ended, printed) == (code, "")
    assert said in " ".join(complaint.replace("│", " ").split())
    assert "Traceback" not in complaint
    assert not (tmp_path / "runs").exists()
