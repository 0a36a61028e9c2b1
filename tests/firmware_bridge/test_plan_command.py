"""`auscult plan` as a user meets it: what firmware takes, what does not fit, and what would."""

import json

import numpy as np
import pytest
from cnn6_tflite import cnn6
from tiny_bundle import tiny_bundle

from firmware_bridge.command import bytes_of
from lungsound.errors import InputError


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return tiny_bundle(tmp_path_factory)


def test_a_plan_adds_up(auscult, bundle):
    code, said, _ = auscult("plan", bundle.path, "--target", "cortex-m0", "--ram", "16K", "--flash", "256k", "--json")
    plan = json.loads(said)
    assert code == 0
    assert plan["ram_bytes"] == sum(plan["ram"].values())
    assert plan["flash_bytes"] == sum(plan["flash"].values())
    assert plan["ram"]["networks"] == plan["network"]["context_bytes"]
    layers = plan["network"]["layers"]
    whole = {name for layer in layers for name in layer["whole"]}
    held = sum(layer["ring_bytes"] for layer in layers if layer["tensor"] in whole)
    assert plan["network"]["whole_bytes"] == held > 0
    overlapping = json.loads(auscult("plan", bundle.path, "--target", "cortex-m0", "--overlapping", "--json")[1])
    assert overlapping["ram"]["networks"] == 3 * plan["ram"]["networks"]
    assert overlapping["flash_bytes"] == plan["flash_bytes"]


def test_a_plan_for_people_names_every_layer(auscult, bundle):
    code, said, _ = auscult("plan", bundle.path, "--target", "cortex-m4")
    assert code == 0
    assert sum(line.startswith("CONV_2D") for line in said.splitlines()) == 6
    assert "in the worst" in said
    assert "bytes one window at a time," in said
    assert "tensors that wait for all of time, held whole in" in said


@pytest.mark.parametrize(
    ("budget", "sentence"),
    [
        (["--ram", "6K"], "bytes of RAM (networks"),
        (["--flash", "30000"], "and there are 30000; CONV_2D 'trunk/conv_block4/avg_pool2d' takes most"),
        (["--ram", "6K"], "and there are 6144; CONV_2D 'trunk/conv_block1/avg_pool2d' takes most of the network"),
        (["--flash", "40000"], "the largest width that would fit is 0.0"),
        (["--ram", "1000"], "no width of this model would fit"),
        (["--ram", "lots"], "--ram: 'lots' is no number of bytes"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(auscult, bundle, budget, sentence):
    code, said, complaint = auscult("plan", bundle.path, "--target", "cortex-m4", *budget)
    assert (code, said) == (1, "")
    assert sentence in complaint
    assert "Traceback" not in complaint


def test_ram_and_flash_that_are_both_too_much_are_both_named(auscult, bundle):
    words = ["--target", "cortex-m4", "--ram", "6K", "--flash", "30000"]
    complaint = auscult("plan", bundle.path, *words)[2]
    assert "bytes of RAM (networks" in complaint
    assert "and there are 6144; CONV_2D 'trunk/conv_block1/avg_pool2d' takes most of the network" in complaint
    assert "; it also needs" in complaint
    assert "and there are 30000; CONV_2D 'trunk/conv_block4/avg_pool2d' takes most of the network" in complaint
    assert complaint.count("width") == 1
    assert len(complaint.splitlines()) == 1


@pytest.mark.parametrize(
    ("size", "number"),
    [("65536", 65536), ("64K", 65536), ("64k", 65536), ("64KB", 65536), ("64 KiB", 65536), ("64kb", 65536),
     ("1M", 1 << 20), ("1MB", 1 << 20), ("1MiB", 1 << 20), ("512B", 512)],
)  # fmt: skip
def test_a_size_is_read_as_people_write_it(size, number):
    assert bytes_of(size, "--ram") == number


@pytest.mark.parametrize("size", ["", "K", "-1", "1.5K", "64G", "64KBs", "0x10", "64Kbit", "1e3", "９"])
def test_what_is_no_size_is_refused(size):
    with pytest.raises(InputError, match="is no number of bytes"):
        bytes_of(size, "--ram")


@pytest.mark.parametrize("what", ["ram", "flash"])
def test_the_width_that_a_refusal_names_is_the_largest_that_fits(auscult, tmp_path, what):
    paths = {width: tmp_path / f"{width}.tflite" for width in (8, 16)}
    for width, path in paths.items():
        path.write_bytes(cnn6(np.random.default_rng(0), 100, width=width, heads=4))
    words = ["--target", "cortex-m4"]
    need = json.loads(auscult("plan", paths[8], *words, "--json")[1])[f"{what}_bytes"]
    for budget, channels in ((need, 64), (need - 1, 56)):
        complaint = auscult("plan", paths[16], *words, f"--{what}", budget)[2]
        assert f"{channels} channels in the widest layer (now 128)" in complaint


def test_a_width_that_cannot_be_told_is_not_named(auscult, tflite, monkeypatch):
    monkeypatch.setattr("firmware_bridge.plan.budget.scaled", lambda graph, share: None)
    complaint = auscult("plan", tflite, "--target", "host", "--ram", "100")[2]
    assert "cannot be told of this model" in complaint
