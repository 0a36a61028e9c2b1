"""docs/faults.md says what the tests here do, and how often."""

import re
from pathlib import Path

import test_at_once
import test_changed_files
import test_flipped_bits
import test_full_disk
import test_kills
import test_odd_places

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"


def tried():
    """Count what the tests try, by fault and kind."""
    return {
        "killed": test_kills.KILLS,
        "disk full": test_full_disk.FULL,
        "at once": test_at_once.TOGETHER,
        "a flipped bit": dict.fromkeys(test_flipped_bits.READ_BY, test_flipped_bits.FLIPS),
        "nowhere to write": dict.fromkeys(test_odd_places.NEVER_WRITTEN, len(test_odd_places.WRITERS)),
        "an odd name": dict.fromkeys(test_odd_places.WRITTEN, len(test_odd_places.ALSO_WRITERS)),
        "nothing to read": dict.fromkeys(test_odd_places.NEVER_READ, len(test_odd_places.READERS)),
        "changed at random": dict.fromkeys(test_changed_files.KINDS, test_changed_files.COUNT),
    }


def test_the_page_says_what_is_tried():
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| ([\d,]+) \|", PAGE.read_text(), re.MULTILINE)
    told = {}
    for fault, kinds, total in rows:
        told[fault] = {kind: int(count) for kind, count in (one.split(": ") for one in kinds.split(", "))}
        assert sum(told[fault].values()) == int(total.replace(",", ""))
    assert told == tried()
