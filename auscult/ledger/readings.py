"""Who read which part of which corpus with a model: a line for each reading, never taken back.

A test that is read again and again until a model does well on it is no test any more. So `evaluate`, which alone reads
tests, writes a line before it says or stores anything.
"""

import errno
import hashlib
import json
import os
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from auscult.ledger.evaluation import Evaluation
from auscult.ledger.stored import predictions_folder
from lungsound.errors import InputError
from lungsound.files.plain_json import loads
from lungsound.scores.stored import table_bytes
from lungsound.training.runs import RUN_FILE

READINGS_FILE = "readings.jsonl"
_LARGEST = 2**26


def readings_file(target: Path) -> Path:
    """Return the file: in a run itself, but beside a bundle, which is shipped as it is."""
    return (target if (target / RUN_FILE).is_file() else predictions_folder(target)) / READINGS_FILE


def record_reading(target: Path, evaluation: Evaluation) -> int:
    """Add the line of an evaluation, and return how many there are now of its part, protocol and model.

    Raises
    ------
    InputError
        If the file cannot be written; a test is not read in secret.
    """
    line = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        **{name: getattr(evaluation, name) for name in ("corpus", "part", "protocol", "model")},
        "rows": len(evaluation.predictions),
        "predictions_sha256": hashlib.sha256(table_bytes(evaluation.predictions)).hexdigest(),
    }
    file = readings_file(target)
    content = (json.dumps(line) + "\n").encode(errors="surrogateescape")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        _append(file, content)
    except OSError as error:
        raise InputError(
            f"{file}: the reading of {evaluation.corpus} {evaluation.part} cannot be recorded ({error.strerror}); make "
            "the folder writable or evaluate a copy"
        ) from error
    same = ("corpus", "part", "protocol", "model")
    return sum(all(one.get(name) == line[name] for name in same) for one in readings(file))


def readings(file: Path) -> list[dict[str, Any]]:
    """Return the lines of a file of readings, none where there is no such file.

    Raises
    ------
    InputError
        If a line is no JSON object.
    """
    if not file.is_file():
        return []
    if file.stat().st_size > _LARGEST:
        raise InputError(f"{file}: larger than any record of readings; restore it")
    found = []
    for number, line in enumerate(file.read_bytes().splitlines(), 1):
        try:
            found.append(loads(line.decode(errors="surrogateescape")))
        except InputError as error:
            raise InputError(f"{file}, line {number}: {error}; restore the file") from error
    return found


def _append(file: Path, content: bytes) -> None:
    """Write at the end, all or nothing; whoever writes at the same time gets a line of its own."""
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        size = os.fstat(descriptor).st_size
        try:
            if os.write(descriptor, content) < len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            os.ftruncate(descriptor, size)
            raise
    finally:
        os.close(descriptor)
