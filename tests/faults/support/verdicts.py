"""What may never happen, whatever went wrong."""

from fork_server import MEMORY, Ended


def check_civil(ended: Ended) -> None:
    """No traceback, no signal, no hang, no gigabyte of memory; what went wrong is told in one sentence."""
    assert not ended.hung, ended.err
    assert "Traceback" not in ended.err, ended.err
    assert ended.code in (0, 1, 2), (ended.code, ended.err)
    assert ended.memory < MEMORY
    assert len(ended.err) < 4000
    if ended.code == 1:
        check_sentence(ended)


def check_sentence(ended: Ended) -> None:
    """Exit code 1, and one sentence that says why."""
    assert ended.code == 1, (ended.code, ended.err)
    sentences = [line for line in ended.err.splitlines() if line.startswith("error: ")]
    assert len(sentences) == 1, ended.err
    assert "fault of auscult" not in sentences[0], ended.err
