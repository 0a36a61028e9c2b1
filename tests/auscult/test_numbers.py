"""Every number that a command takes is finite and within bounds, on the command line and in a recipe."""

from typing import get_args, get_type_hints

import pytest
import typer

from auscult.cli import CONTENTS, load
from lungsound.command.recipes import Recipe, defaults
from lungsound.errors import InputError

NO_NUMBERS = ["nan", "inf", "-inf", "1e300", "-1", "9" * 30, "-" + "9" * 30, "x", ""]


def numbers():
    """Yield every command with each of its parameters that takes a number."""
    for name in CONTENTS:
        command = load(name)
        for found in getattr(command, "commands", {name: command}).values():
            hints = get_type_hints(found.callback)
            for parameter in found.params:
                if {int, float} & {hints.get(parameter.name), *get_args(hints.get(parameter.name))}:
                    yield found, parameter


def test_what_is_no_number_or_out_of_bounds_is_wrong_usage():
    taken = [(command, parameter) for command, parameter in numbers() if parameter.name != "heads"]  # 1, 2, 4, 6 or 8
    assert {"learning_rate", "percentile", "validation", "runs", "patients", "push_macs"} <= {p.name for _, p in taken}
    for command, parameter in taken:
        for text in NO_NUMBERS:
            with pytest.raises(typer.BadParameter):
                pytest.fail(f"{parameter.name}: {parameter.process_value(command.context_class(command), text)}")


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e300", "0", "-1e-3"])
def test_a_learning_rate_of_a_recipe_is_one(value):
    command = load("distill")
    context = command.context_class(command)
    with pytest.raises(InputError, match="mine: learning-rate = "):
        defaults(Recipe("mine", "distill", "", {"learning-rate": float(value)}, ""), "distill", context)


@pytest.mark.parametrize(
    "words",
    [
        ["distill", "--learning-rate", "inf"],
        ["distill", "--label-weight", "nan"],
        ["distill", "--temperature", "0"],
        ["distill", "--seconds", "0"],
        ["distill", "--seconds", "inf"],
        ["distill", "--hop", "nan"],
        ["finetune", "--learning-rate", "0"],
        ["finetune", "--seconds", "nan"],
        ["evaluate", "nowhere", "--data", "synthetic", "--validation", "nan"],
        ["export", "nowhere", "--percentile", "nan"],
        ["data", "synthesize", "nowhere", "--seed", "-1"],
    ],
)
def test_a_user_is_told_which_option_it_is(auscult, words):
    code, said, complaint = auscult(*words)
    assert (code, said) == (2, "")
    assert words[-2] in complaint
