import math

import pytest

from lungsound.scores.spread import spread, spreads


@pytest.mark.parametrize(
    ("values", "t"),  # a printed table of Student's t, two-sided 95 %
    [([0.5, 0.6], 12.706), ([0.71, 0.74, 0.69, 0.75, 0.72], 2.776), ([float(n % 7) for n in range(31)], 2.042)],
)
def test_mean_deviation_and_interval_are_those_of_a_sample(values, t):
    found = spread(values)
    mean = sum(values) / len(values)
    deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
    assert (found["mean"], found["deviation"]) == pytest.approx((mean, deviation))
    half = t * deviation / math.sqrt(len(values))
    assert found["interval"] == pytest.approx((mean - half, mean + half), abs=1e-3 * half)
    assert found["values"] == values


def test_figures_that_a_run_lacks_have_no_mean():
    runs = [{"n": 9, "auroc": {"crackle": 0.5, "any": None}, "argmax": {"sp": 0.25}} for _ in range(2)]
    runs[1]["auroc"] = {"crackle": 0.75, "any": 0.5}
    found = spreads(runs)
    assert list(found) == ["auroc.crackle", "auroc.any", "argmax.sp"]
    assert found["auroc.crackle"]["mean"] == 0.625
    assert math.isnan(found["auroc.any"]["mean"])
    assert found["auroc.any"]["values"] == [None, 0.5]
    assert (found["argmax.sp"]["deviation"], found["argmax.sp"]["interval"]) == (0, (0.25, 0.25))
