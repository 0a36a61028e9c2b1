"""A disk that is full after so many bytes: one sentence, nothing half-written, and with space the same bits."""

import numpy as np
import pytest
from verdicts import check_civil, check_sentence
from writing_commands import COMMANDS, files_of, results, temporaries

FULL = {
    "finetune": 4,
    "distill": 6,
    "distill --recipe": 1,
    "export": 1,
    "firmware": 2,
    "evaluate": 2,
    "classify": 1,
    "data synthesize": 2,
    "data export": 2,
    "data shard": 2,
    "probe": 1,
}
CASES = [(command, index) for command, count in FULL.items() for index in range(count)]


def test_every_command_that_writes_meets_a_full_disk():
    assert FULL.keys() == COMMANDS.keys()


@pytest.mark.slow
@pytest.mark.parametrize(("command", "index"), CASES)
def test_a_full_disk_is_told_and_made_good(bench, unharmed, command, index):
    wanted = unharmed(command)
    rooms = np.random.default_rng([2, list(FULL).index(command)]).integers(wanted.bytes, size=FULL[command])
    full = bench.run(*COMMANDS[command], room=int(rooms[index]))
    check_civil(full)
    check_sentence(full)
    assert "the disk is full" in full.err
    whole = results(wanted.files, command)
    left = results(files_of(bench.root), command)
    assert {name: held for name, held in left.items() if whole.get(name) != held} == {}
    assert temporaries(bench.root) == []
    ended = bench.go_on(command)
    check_civil(ended)
    assert ended.code == 0, ended.err
    assert results(files_of(bench.root), command) == whole
