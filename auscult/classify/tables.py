"""Answers as tables for people, and as lines while a microphone is heard."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from auscult.classify.answer import Answer
from lungsound.command.report import figure
from lungsound.errors import on_a_screen
from lungsound.labels import NOTICE
from lungsound.terminal import out, print_table

_MOST_ROWS = 200
"""Windows or events of one recording that a screen is filled with."""


def print_answers(answers: Sequence[Answer], model: str) -> None:
    """Print a row a recording; of one alone its windows and events, too."""
    if len(answers) == 1:
        _print_recording(answers[0])
    if answers:
        print_table(_table_of_recordings(answers, f"{model}: recordings, the highest probability of each label"))
    print_notice()


def print_notice() -> None:
    """Print what every answer is for."""
    out.print(NOTICE, style="bold", highlight=False)


def _print_recording(answer: Answer) -> None:
    events, windows = answer.events(), len(answer.codes)
    if windows <= _MOST_ROWS:
        print_table(_table_of_windows(answer))
    else:
        out.print(f"windows: {windows}; --csv and --json list them", highlight=False)
    if events and len(events) <= _MOST_ROWS:
        print_table(_table_of_events(answer))
    else:
        out.print(f"events: {len(events) or 'none'}{'; --json lists them' if events else ''}", highlight=False)


def _table_of_windows(answer: Answer) -> Table:
    table = _table("start, s", "end, s", title="windows, the probability of each label", labels=answer.labels)
    rows = zip(answer.starts, answer.ends, answer.decisions, answer.probabilities, strict=True)
    for start, end, given, likely in rows:
        table.add_row(f"{start:.2f}", f"{end:.2f}", _given(answer.labels, given), *map(figure, likely))
    return table


def _table_of_events(answer: Answer) -> Table:
    table = Table("event", title="events: windows that carry a label, one after the other")
    for head in ("start, s", "end, s", "highest probability"):
        table.add_column(head, justify="right")
    for event in answer.events():
        table.add_row(Text(event.label), f"{event.start:.2f}", f"{event.end:.2f}", figure(event.probability))
    return table


def _table_of_recordings(answers: Sequence[Answer], title: str) -> Table:
    labels = answers[0].labels
    table = _table("recording", "seconds", "windows", title=title, labels=labels)
    for answer in answers:
        cells = Text(on_a_screen(answer.name)), f"{answer.seconds:.2f}", str(len(answer.codes))
        highest = answer.probabilities.max(axis=0)
        table.add_row(*cells, Text(", ".join(answer.found()) or "-"), *map(figure, highest))
    return table


def _table(first: str, *heads: str, title: str, labels: Sequence[str]) -> Table:
    table = Table(title=title)
    table.add_column(first)
    for head in heads:
        table.add_column(head, justify="right")
    table.add_column("labels")
    for label in labels:
        table.add_column(Text(label), justify="right")
    return table


def _given(labels: Sequence[str], given: Sequence[int]) -> Text:
    return Text(", ".join(label for label, one in zip(labels, given, strict=True) if one) or "-")


def print_window(answer: Answer) -> None:
    """Print the last window of an answer that is still growing."""
    likely = "  ".join(
        f"{label} {figure(value)}" for label, value in zip(answer.labels, answer.probabilities[-1], strict=True)
    )
    given = _given(answer.labels, answer.decisions[-1])
    out.print(
        f"{answer.starts[-1]:8.2f} to {answer.ends[-1]:.2f} s  {given}  ({likely})", highlight=False, markup=False
    )
