"""`auscult plan --student`: what a student will take, said before anybody trains it."""

import json

import pytest
from promised_keys import broken, promised
from tiny_bundle import tiny_bundle

from auscult.plan import plan_command

TINY = ("--student", "cnn6", "--width", 1 / 16, "--seconds", 2, "--hop", 1)
"""The student of :mod:`tiny_bundle`."""
SOFTMAX_TABLE = 1024
"""Bytes of it at most; scores that lie far apart, as trained ones do, need fewer."""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return tiny_bundle(tmp_path_factory)


@pytest.mark.parametrize("words", [("--target", "cortex-m4", "--overlapping"), ("--target", "cortex-m55")])
def test_a_student_takes_what_its_bundle_will_take(auscult, bundle, words):
    plans = [json.loads(auscult("plan", *what, *words, "--json")[1]) for what in (TINY, [bundle.path])]
    untrained, trained = plans
    assert untrained["ram"] == trained["ram"]
    assert untrained["sharing"] == trained["sharing"]
    least, found, most = trained["flash_bytes"] - 32, untrained["flash_bytes"], trained["flash_bytes"] + SOFTMAX_TABLE
    assert least <= found <= most
    macs = [[layer["macs"] for layer in plan["network"]["layers"]] for plan in plans]
    assert macs[0] == macs[1]
    counts = [plan["instructions"] for plan in plans]
    assert counts[0]["a_second"] == pytest.approx(counts[1]["a_second"], rel=0.03)
    layers = sum(layer["instructions"] for layer in trained["network"]["layers"])
    assert 0.9 * counts[1]["network"] < layers < counts[1]["network"]
    assert untrained["student"]["parameters"] == bundle.manifest.parameters
    assert "student" not in trained
    assert broken(promised(plan_command.__doc__), untrained) == []


def test_a_hop_that_nobody_gave_lets_windows_share_their_trunk(auscult):
    words = ("--student", "stream", "--width", 1 / 16, "--depth", 4, "--seconds", 4)
    code, said, _ = auscult("plan", *words, "--target", "cortex-m4", "--overlapping")
    assert code == 0
    assert "which share a trunk" in said
    assert said.startswith("stream of width 0.0625 and depth 4, ")
    assert "random weights" in said.splitlines()[0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([*TINY, "--ram", "1K"], "cnn6 of width 0.0625: needs"),
        ([*TINY, "--instructions-per-second", "2M"], "instructions a second of sound (network "),
        ([*TINY, "--instructions-per-second", "3.8M"], "instructions); the largest width that would fit is"),
        (["--student", "rnn"], "no student called 'rnn'; choose one of"),
        (["--student", "cnn6", "--depth", 6], "cnn6 is sized by its width alone"),
        (["--student", "cnn6", "--logmel", "mine"], "log-mel 'mine': unknown"),
        (["--student", "stream", "--hop", 2], "give a hop of 1.792 or 2.048 s"),
        (["--student", "cnn6", "--label", "crackle", "--label", "crackle"], "one of them comes twice"),
    ],
)
def test_what_cannot_be_is_one_sentence(auscult, words, said):
    code, printed, complaint = auscult("plan", "--target", "cortex-m4", *words)
    assert (code, printed) == (1, "")
    assert said in " ".join(complaint.split())
    assert "Traceback" not in complaint


@pytest.mark.parametrize(
    ("words", "option"),
    [
        ([], "--student"),
        (["{bundle}", *TINY], "--student"),
        (["{bundle}", "--width", 0.5], "--width"),
        (["{bundle}", "--hop", 1], "--hop"),
        ([*TINY, "--listening", "heard.json"], "--listening"),
        ([*TINY, "--head", "linear", "--heads", 2], "--heads"),
    ],
)
def test_a_model_or_a_student_and_what_belongs_to_it(auscult, bundle, words, option):
    code, printed, complaint = auscult(
        "plan", "--target", "cortex-m4", *(str(w).format(bundle=bundle.path) for w in words)
    )
    assert (code, printed) == (2, "")
    assert option in complaint
