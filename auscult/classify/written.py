"""Answers as files: a table of windows as CSV, and label tracks for Audacity."""

import csv
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

from auscult.classify.answer import Answer
from auscult.classify.picture import draw_answer
from auscult.classify.recordings import Recording
from lungsound.errors import InputError
from lungsound.files.atomic import whole_file
from lungsound.labels import NOTICE


@contextmanager
def csv_of_windows(file: Path, labels: tuple[str, ...]) -> Iterator[Callable[[Answer], None]]:
    """Yield a function that adds the windows of an answer to a CSV file; it is there whole when the block ends.

    Columns: file, start and end (seconds), of every label whether it was given (1 or 0) and its probability, notice.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    # A path may hold bytes that are no text; they come back as they are.
    with (
        whole_file(file) as temporary,
        temporary.open("w", encoding="utf-8", errors="surrogateescape", newline="") as handle,
    ):
        table = csv.writer(handle)
        heads = [head for label in labels for head in (label, f"{label} probability")]
        table.writerow(["file", "start", "end", *heads, "notice"])

        def add(answer: Answer) -> None:
            rows = zip(answer.starts, answer.ends, answer.decisions, answer.probabilities, strict=True)
            for start, end, given, likely in rows:
                cells = [cell for one, value in zip(given, likely, strict=True) for cell in (one, f"{value:.6f}")]
                table.writerow([answer.name, f"{start:.4f}", f"{end:.4f}", *cells, NOTICE])

        yield add


def write_label_track(answer: Answer, file: Path) -> None:
    """Write the events of an answer as a label track that Audacity imports.

    The first label, a point, says what the others are for; `--data audacity:` passes over it.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    lines = [f"0.000000\t0.000000\t{NOTICE}"]
    lines += [f"{event.start:.6f}\t{event.end:.6f}\t{event.label}" for event in answer.events()]
    with whole_file(file) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


def file_of_each(recordings: Sequence[Recording], folder: Path, suffix: str) -> list[Path]:
    """Return a file for each recording below `folder`, where it lies below what the user gave.

    Raises
    ------
    InputError
        If two recordings would have the same.
    """
    files = [folder / recording.name.with_suffix(suffix) for recording in recordings]
    taken: dict[Path, Recording] = {}
    for file, recording in zip(files, recordings, strict=True):
        if (other := taken.setdefault(file, recording)) is not recording:
            both = f"{other.shown} and {recording.shown}"
            raise InputError(f"{both}: both would be written to {file}; rename one, or classify them apart")
    return files


@contextmanager
def written(
    recordings: Sequence[Recording],
    labels: tuple[str, ...],
    csv_file: Path | None,
    audacity: Path | None,
    picture: Path | None,
) -> Iterator[Callable[[Answer, int], None]]:
    """Yield a function that writes the files of one answer, given with the place of its recording.

    Parameters
    ----------
    recordings : sequence of Recording
        All that may be answered.
    labels : tuple of str
        The model's.
    csv_file : Path or None
        Of all windows; it is there whole when the block ends.
    audacity, picture : Path or None
        Folders of label tracks and of pictures.

    Raises
    ------
    InputError
        If a file cannot be written, or two recordings would have the same.
    """
    tracks = file_of_each(recordings, audacity, ".txt") if audacity else None
    pictures = file_of_each(recordings, picture, ".png") if picture else None
    with csv_of_windows(csv_file, labels) if csv_file else nullcontext() as add:

        def write(answer: Answer, place: int) -> None:
            if add:
                add(answer)
            if tracks:
                write_label_track(answer, tracks[place])
            if pictures:
                draw_answer(answer, pictures[place])

        yield write
