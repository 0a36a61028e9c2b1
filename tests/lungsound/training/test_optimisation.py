"""Schedules against torch's own, and which weights decay."""

import pytest
import torch

from lungsound.training.optimisation import Optimisation


def test_cosine_40_is_the_schedule_of_torch_down_and_up_again():
    epochs, steps, rate = 150, 3, 5e-5
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.Adam([weight], lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=40, eta_min=1e-6)
    told = Optimisation(rate, 1e-4, "adam", "cosine-40")
    for epoch in range(epochs):
        for step in range(steps):
            share = told.share(epoch * steps + step, epochs * steps, epochs)
            assert share * rate == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-6)
        optimizer.step()
        schedule.step()


def test_cosine_begins_at_the_highest_and_ends_at_nothing():
    shares = [Optimisation(1e-4, 0, "adam", "cosine").share(step, 100, 10) for step in range(101)]
    assert (shares[0], shares[50], shares[100]) == pytest.approx((1, 0.5, 0), abs=1e-12)


def test_adam_decays_all_weights_and_leaves_frozen_ones_out():
    net = torch.nn.Linear(3, 2)
    net.weight.requires_grad_(False)
    optimizer = Optimisation(1e-3, 1e-4, "adam").of(net.parameters())
    (group,) = optimizer.param_groups
    assert type(optimizer) is torch.optim.Adam
    assert group["params"][0] is net.bias
    assert group["weight_decay"] == 1e-4
