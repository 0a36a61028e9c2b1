"""The networks of PANNs against numbers of the published implementation: every case that its fixture lists."""

import json

import numpy as np
import pytest
import torch
from fixture_cases import FIXTURES, Case, cases

from lungsound.logmel import LogMelSpec, log_mel
from lungsound.networks.panns import TRUNKS, Panns
from lungsound.networks.trunk import PannsTrunk

FRONT_END = ("spectrogram_extractor.", "logmel_extractor.")
pytestmark = pytest.mark.usefixtures("shared")  # which skips, or fails in CI, where the folder is missing


def kind_of(name: str) -> type[PannsTrunk]:
    """The trunk of a class's published name."""
    return next(kind for kind in TRUNKS if kind.family() == name.lower())


def every_case():
    """All cases, those of full size but the smallest marked as slow."""
    slow = {"full_cnn10", "full_cnn14", "full_resnet22", "full_mobilenetv1", "full_mobilenetv2"}
    return [pytest.param(*p.values, id=p.id, marks=[pytest.mark.slow] if p.id in slow else []) for p in cases("panns")]


def weights_by_recipe(state: dict[str, torch.Tensor], seed: int) -> dict[str, torch.Tensor]:
    """Follow the fixture's written recipe for networks whose weights are not stored."""
    random = np.random.RandomState(seed)
    for name in sorted(state):
        if not state[name].is_floating_point():
            continue
        a = random.standard_normal(tuple(state[name].shape))
        if name.endswith("running_var"):
            value = 0.5 + np.abs(a)
        elif name.endswith("running_mean"):
            value = 0.1 * a
        elif a.ndim == 1 and name.endswith("weight"):
            value = 1 + 0.1 * a
        elif a.ndim <= 1:
            value = 0.05 * a
        else:
            value = np.multiply(a, np.sqrt(2 / np.prod(a.shape[1:])), out=a)
        state[name] = torch.from_numpy(np.asarray(value, np.float32))
    return state


def spec_of(meta) -> LogMelSpec:
    """PANNs' front end of a case."""
    rate, window, hop = (meta[key] for key in ("sample_rate", "window_size", "hop_size"))
    band = (meta["mel_bins"], float(meta["fmin"]), float(meta["fmax"]), "slaney", True)
    return LogMelSpec(rate, window, hop, window, *band, "db", 1e-10, "reflect")


@pytest.mark.parametrize("case", every_case())
def test_fixture_panns(case):
    kind, case = kind_of(case["meta"]["kind"]), Case("panns", case)
    logmel = case.outputs["log_mel"]
    heard = log_mel(spec_of(case.meta["front_end"]), case.inputs["wave"].numpy())[:, None]
    np.testing.assert_allclose(heard, logmel, rtol=0, atol=2e-3)
    stored = {name: value for name, value in case.weights.items() if not name.startswith(FRONT_END)}
    state = stored or weights_by_recipe(published_zeros(case.meta["kind"]), case.seed)
    network = Panns.of(kind, state).eval()
    assert published_shapes(network) == {name: tuple(value.shape) for name, value in state.items()}
    with torch.no_grad():
        output, bn0_out = network.tag(logmel), network.bn0(logmel.transpose(1, 3)).transpose(1, 3)
    got = {
        "log_mel": logmel,
        "bn0_out": bn0_out,
        "feature_map": output.feature_map,
        "feature_map_mean_over_freq": output.feature_map.mean(3),
        "pooled": output.pooled,
        "embedding": output.embedding,
        "clipwise_output": output.probabilities,
    }
    assert case.outputs.keys() <= got.keys()
    for name in case.outputs:
        case.close(got[name], name)
    if "trainable_parameters" in case.meta:
        assert sum(p.numel() for p in network.parameters()) == case.meta["trainable_parameters"]


def published_zeros(kind: str) -> dict[str, torch.Tensor]:
    """A state of the published names and shapes, the counts of batches in whole numbers."""
    shapes = json.loads((FIXTURES / "panns" / f"keys_{kind}.json").read_text())
    return {
        name: torch.zeros(shape, dtype=torch.int64 if name.endswith("num_batches_tracked") else torch.float32)
        for name, shape in shapes.items()
        if not name.startswith(FRONT_END)
    }


def published_shapes(network: Panns) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in network.published_state().items()}


@pytest.mark.parametrize("kind", TRUNKS, ids=lambda kind: kind.title)
def test_fixture_panns_names_and_shapes(kind):
    (listed,) = (
        file for file in (FIXTURES / "panns").glob("keys_*.json") if file.stem.lower() == f"keys_{kind.family()}"
    )
    published = json.loads(listed.read_text())
    expected = {name: tuple(shape) for name, shape in published.items() if not name.startswith(FRONT_END)}
    embedding, classes = expected["fc1.weight"][0], expected["fc_audioset.weight"][0]
    with torch.device("meta"):
        network = Panns(kind(kind.published), embedding=embedding, classes=classes)
    assert published_shapes(network) == expected


def test_every_file_of_the_fixture_has_its_network():
    stems = {file.stem.removeprefix("keys_").lower() for file in (FIXTURES / "panns").glob("keys_*.json")}
    assert stems == {kind.family() for kind in TRUNKS}
