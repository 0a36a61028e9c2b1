"""What tests of generated C may ask for."""

import os
from collections.abc import Callable

import pytest

from firmware_bridge.targets import Target, find_target, missing_packages


@pytest.fixture(scope="session")
def installed() -> Callable[[str], Target]:
    """A function from a target's name to the target; skips the test where its tools are missing, never in CI."""

    def find(name: str) -> Target:
        target = find_target(name)
        packages = missing_packages(target)
        if packages:
            complain = pytest.fail if os.environ.get("CI") else pytest.skip
            complain(f"target {name} needs: apt-get install {packages}")
        return target

    return find
