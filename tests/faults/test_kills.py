"""SIGKILL at moments of work: nothing half-written is taken for whole, and going on ends with the same bits."""

import signal

import numpy as np
import pytest
from verdicts import check_civil
from writing_commands import COMMANDS, files_of, results, temporaries

KILLS = {
    "finetune": 8,
    "distill": 10,
    "distill --recipe": 2,
    "export": 2,
    "firmware": 4,
    "evaluate": 4,
    "classify": 1,
    "data synthesize": 5,
    "data export": 5,
    "data shard": 4,
    "probe": 2,
}
CASES = [(command, index) for command, count in KILLS.items() for index in range(count)]


def test_every_command_that_writes_is_killed():
    assert KILLS.keys() == COMMANDS.keys()


@pytest.mark.slow
@pytest.mark.parametrize(("command", "index"), CASES)
def test_a_killed_command_is_made_good(bench, unharmed, command, index):
    wanted = unharmed(command)
    moments = np.random.default_rng([1, list(KILLS).index(command)]).permutation(wanted.calls) + 1
    killed = bench.run(*COMMANDS[command], kill_at=int(moments[index % wanted.calls]))
    assert killed.code == -signal.SIGKILL, killed.err
    whole = results(wanted.files, command)
    left = results(files_of(bench.root), command)
    assert {name: held for name, held in left.items() if whole.get(name) != held} == {}
    assert not temporaries(bench.root) or killed.calls > 1
    ended = bench.go_on(command)
    check_civil(ended)
    assert ended.code == 0, ended.err
    assert results(files_of(bench.root), command) == whole
