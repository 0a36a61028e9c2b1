import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lungsound.errors import InputError
from students.csra import MAX_TEMPERATURE, CsraHead, temperatures_of


def published_form(x, weight, temperatures, lam):
    """The heads one after the other, in float64; weight [C, H, D]."""
    x = x.double().flatten(2)
    logits = 0
    for h, temperature in enumerate(temperatures):
        rows = weight[:, h].double()
        scores = torch.einsum("cd,bdp->bcp", rows / rows.norm(dim=1, keepdim=True), x)
        if temperature == MAX_TEMPERATURE:
            attended = scores.max(-1).values
        else:
            attended = ((scores * temperature).softmax(-1) * scores).sum(-1)
        logits = logits + scores.mean(-1) + lam * attended
    return logits


@settings(max_examples=30, deadline=None)
@given(
    temperatures=st.lists(st.one_of(st.floats(0.1, 20), st.just(MAX_TEMPERATURE)), min_size=1, max_size=8),
    classes=st.integers(1, 5),
    shape=st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 6), st.integers(1, 6)),
    lam=st.floats(0, 3),
    seed=st.integers(0, 2**31),
)
def test_one_product_equals_the_heads_one_after_the_other(temperatures, classes, shape, lam, seed):
    torch.manual_seed(seed)
    batch, channels, frames, mels = shape
    head = CsraHead(channels, classes, temperatures, lam)
    x = torch.randn(batch, channels, frames, mels)
    expected = published_form(x, head.score.weight.detach().reshape(classes, len(temperatures), -1), temperatures, lam)
    torch.testing.assert_close(head(x).double(), expected, rtol=1e-4, atol=1e-4)


def test_the_maximum_is_the_limit_of_high_temperatures():
    torch.manual_seed(0)
    x = torch.randn(2, 6, 3, 4)
    limit, hot = CsraHead(6, 2, (MAX_TEMPERATURE,), 0.5), CsraHead(6, 2, (5000.0,), 0.5)
    hot.load_state_dict(limit.state_dict())
    torch.testing.assert_close(limit(x), hot(x), rtol=1e-3, atol=1e-3)


def test_separate_heads_load_class_major():
    weights = [torch.full((3, 4, 1, 1), float(h)) + torch.arange(3.0)[:, None, None, None] * 10 for h in range(2)]
    head = CsraHead(4, 3, (1, MAX_TEMPERATURE), 0.1)
    head.load_heads(weights)
    assert head.score.weight[:, 0, 0, 0].tolist() == [0, 1, 10, 11, 20, 21]


@pytest.mark.parametrize("heads", [1, 2, 4, 6, 8])
def test_attention_is_a_distribution_over_positions(heads):
    torch.manual_seed(0)
    head = CsraHead(5, 2, temperatures_of(heads), 0.3)
    attention = head.attention(torch.randn(3, 5, 4, 7))
    assert attention.shape == (3, 2, 4, 7)
    assert (attention >= 0).all()
    torch.testing.assert_close(attention.sum((2, 3)), torch.ones(3, 2))


def test_attention_of_the_maximum_is_where_the_score_is_highest():
    head = CsraHead(2, 1, (MAX_TEMPERATURE,), 0.3)
    head.load_heads([torch.tensor([1.0, 0.0]).reshape(1, 2, 1, 1)])
    x = torch.zeros(1, 2, 3, 3)
    x[0, 0, 2, 1] = 4.0
    assert head.attention(x)[0, 0, 2, 1] == 1.0


def test_gradients_reach_every_row():
    head = CsraHead(5, 2, temperatures_of(6), 0.3)
    head(torch.randn(4, 5, 3, 3)).square().sum().backward()
    assert (head.score.weight.grad.abs().sum((1, 2, 3)) > 0).all()


def test_an_unknown_number_of_heads_names_the_known():
    with pytest.raises(InputError, match="1, 2, 4, 6, 8"):
        temperatures_of(3)
