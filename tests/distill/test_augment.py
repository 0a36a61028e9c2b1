"""A gain on the log-mel is a gain on the sound."""

import numpy as np
import pytest
import torch

from distill.augment import RandomGain
from lungsound.logmel import SPECS, log_mel, normalise


@pytest.mark.parametrize("name", SPECS)
def test_a_shift_is_what_a_louder_recording_gives(name):
    spec = SPECS[name].with_statistics(-3.0, 2.5)
    wave = np.random.default_rng(0).normal(0, 0.3, spec.sample_rate // 2)
    quiet, loud = (normalise(spec, log_mel(spec, gain * wave)) for gain in (1.0, 10 ** (6 / 20)))
    assert RandomGain(spec, 6.0).spread == pytest.approx((loud - quiet).mean(), rel=1e-3)


def test_every_window_has_its_own_gain_and_none_at_zero():
    spec = SPECS["device_4k"].with_statistics(-3.0, 2.0)
    x = torch.zeros(400, 1, 3, 4)
    torch.manual_seed(0)
    shifted = RandomGain(spec, 4.0)(x)
    assert torch.equal(shifted, shifted[:, :, :1, :1].expand_as(shifted))
    assert float(shifted[:, 0, 0, 0].std()) == pytest.approx(4.0 * np.log(10) / 10 / 2.0, rel=0.1)
    assert torch.equal(RandomGain(spec, 0.0)(x), x)
