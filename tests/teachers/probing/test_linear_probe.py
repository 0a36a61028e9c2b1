"""The linear probe against the same training written plainly, one probe at a time."""

import numpy as np
import pytest
import torch

from lungsound import cpu_wheels as cpu_wheels  # isort: skip  # before torchmetrics, which imports torchvision

from torchmetrics.functional.classification import multiclass_auroc

from teachers.probing.linear import LinearSettings, macro_auroc, train_probes


def made(rng, classes=2, questions=1, n=60, features=7):
    x = rng.normal(size=(n, features)).astype(np.float32)
    y = np.stack([(x[:, q] + 0.3 * rng.normal(size=n)) * classes // 2 for q in range(questions)], axis=1)
    return x, np.clip(y + classes // 2, 0, classes - 1).astype(np.int64)


def plain(train, validation, classes, settings, seed, question):
    """One probe after OPERA's description, with torch's own layers."""
    draw = torch.Generator().manual_seed(seed)
    questions = train[1].shape[1]
    first = torch.randn((questions, classes, train[0].shape[1]), generator=draw) * 0.01
    layer = torch.nn.Linear(train[0].shape[1], classes)
    layer.weight.data, layer.bias.data = first[question].clone(), torch.zeros(classes)
    adam = torch.optim.Adam(layer.parameters(), settings.learning_rate)
    best, epoch_of = (-1.0, None), 0
    for epoch in range(settings.epochs):
        for group in adam.param_groups:
            group["lr"] = settings.learning_rate * settings.decay**epoch
        for rows in torch.randperm(len(train[0]), generator=draw).split(settings.batch_size):
            adam.zero_grad()
            logits = layer(torch.from_numpy(train[0])[rows]) + 1e-10
            loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(train[1][:, question])[rows])
            loss = loss + settings.l2 * sum(p.square().sum() for p in layer.parameters())
            loss.backward()
            torch.nn.utils.clip_grad_norm_(layer.parameters(), settings.clip)
            adam.step()
        with torch.no_grad():
            said = layer(torch.from_numpy(validation[0])).double().softmax(-1).numpy()
        value = macro_auroc(validation[1][:, question], said)
        if (epoch + 1) % settings.every == 0 and value > best[0]:
            best, epoch_of = (value, layer.weight.detach().clone()), epoch + 1
    return *best, epoch_of


@pytest.mark.parametrize(("classes", "questions", "every"), [(2, 3, 1), (4, 1, 2)])
def test_all_probes_at_once_are_those_trained_alone(classes, questions, every):
    rng = np.random.default_rng(0)
    train, validation = made(rng, classes, questions), made(rng, classes, questions, n=30)
    settings = LinearSettings(epochs=4, batch_size=16, learning_rate=0.02, l2=0.01, clip=0.3, every=every, seeds=2)
    found = train_probes(train, validation, classes, settings)
    for seed in range(2):
        for question in range(questions):
            value, weight, epoch = plain(train, validation, classes, settings, seed, question)
            assert found.validation[seed, question] == pytest.approx(value, abs=1e-9)
            assert found.epoch[seed, question] == epoch
            torch.testing.assert_close(found.weight[seed, question], weight, atol=1e-5, rtol=0)


@pytest.mark.parametrize("classes", [2, 5])
def test_auroc_is_that_of_torchmetrics(classes):
    rng = np.random.default_rng(1)
    truth, said = rng.integers(0, classes, 80), rng.dirichlet(np.ones(classes), 80)
    wanted = multiclass_auroc(torch.from_numpy(said), torch.from_numpy(truth), classes, average="macro")
    assert macro_auroc(truth, said) == pytest.approx(float(wanted), abs=1e-6)


def test_a_probe_that_stops_keeps_its_best_epoch():
    rng = np.random.default_rng(2)
    train, validation = made(rng), made(rng, n=20)
    long = LinearSettings(epochs=30, learning_rate=0.01, seeds=3)
    stopped = LinearSettings(epochs=30, learning_rate=0.01, seeds=3, patience=2)
    whole, short = (train_probes(train, validation, 2, settings) for settings in (long, stopped))
    assert (short.validation <= whole.validation).all()
    assert (short.epoch <= whole.epoch).all()


def test_standardised_features_may_have_any_scale():
    rng = np.random.default_rng(3)
    (x, y), validation = made(rng), made(rng, n=30)
    scale = np.float32(2.0) ** np.arange(-3, 4, dtype=np.float32)
    settings = LinearSettings(epochs=3, learning_rate=0.01, seeds=1, standardise=True)
    first = train_probes((x, y), validation, 2, settings)
    second = train_probes((x * scale + 5, y), (validation[0] * scale + 5, validation[1]), 2, settings)
    np.testing.assert_allclose(first.probabilities(x), second.probabilities(x * scale + 5), atol=1e-4)


def test_what_is_constant_in_training_does_not_decide_elsewhere():
    rng = np.random.default_rng(4)
    (x, y), (other, said) = made(rng), made(rng, n=30)
    x[:, 3], other[:, 3] = 0.1, 0.1
    alive = other.copy()
    alive[:, 3] = 0.7
    settings = LinearSettings(epochs=2, learning_rate=0.01, seeds=1, standardise=True)
    found = train_probes((x, y), (other, said), 2, settings)
    np.testing.assert_allclose(found.probabilities(alive), found.probabilities(other), atol=0.02)
