"""`auscult cache`: what lies in the cache, how large it is, and how it goes."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.filesize import decimal
from rich.table import Table

from lungsound.command import options
from lungsound.command.console import print_json
from lungsound.errors import InputError
from lungsound.files.cache import DOWNLOADED, KINDS, Entry, cache_folder, entries, removed
from lungsound.terminal import activity, err, out, print_table

_DAY = 24 * 3600


def cache_command(
    clean: Annotated[bool, typer.Option("--clean", help="Remove what is listed and no process uses.")] = False,
    kinds: Annotated[
        list[str] | None,
        typer.Option(
            "--kind",
            help=f"List and clean this kind alone: {', '.join(KINDS)}; may be repeated. --clean spares teachers.",
        ),
    ] = None,
    older_than: Annotated[
        float,
        typer.Option(
            "--older-than", min=0, max=36_500, metavar="DAYS", help="Only what was used last so many days ago."
        ),
    ] = 0,
    json_output: options.Json = False,
) -> None:
    """Show what lies in the cache ($AUSCULT_CACHE, else ~/.cache/auscult): kind, number, size, newest use.

    All of it can be made again, or downloaded: published weights of teachers go only with --kind teachers. What a
    running process uses stays.

    JSON keys: folder, kinds (a list: name, what, entries, bytes, newest_use). With --clean: removed (it has: entries,
    bytes), in_use (paths that stayed).
    """
    unknown = [kind for kind in kinds or () if kind not in KINDS]
    if unknown:
        raise InputError(f"--kind {unknown[0][:40]}: unknown; choose from {', '.join(KINDS)}")
    cache = cache_folder()
    with activity() as doing:
        doing(f"looking through {cache}")
        found = [entry for entry in entries(cache) if entry.kind in (kinds or KINDS)]
        found = [entry for entry in found if entry.unused >= older_than * _DAY]
        chosen = [entry for entry in found if kinds or entry.kind != DOWNLOADED] if clean else []
        gone, kept = removed(chosen)
    answer: dict[str, Any] = {"folder": str(cache), "kinds": [_row(kind, found) for kind in kinds or KINDS]}
    if clean:
        answer |= {"removed": _sum(gone), "in_use": [str(entry.path) for entry in kept]}
    if json_output:
        print_json(answer)
        return
    _print(answer)


def _sum(found: Iterable[Entry]) -> dict[str, int]:
    sizes = [entry.size for entry in found]
    return {"entries": len(sizes), "bytes": sum(sizes)}


def _row(kind: str, found: list[Entry]) -> dict[str, Any]:
    of_kind = [entry for entry in found if entry.kind == kind]
    newest = min((entry.unused for entry in of_kind), default=None)
    used = None if newest is None else datetime.fromtimestamp(datetime.now().timestamp() - newest).astimezone()
    when = None if used is None else used.isoformat(timespec="seconds")
    return {"name": kind, "what": KINDS[kind][1]} | _sum(of_kind) | {"newest_use": when}


def _print(answer: dict[str, Any]) -> None:
    table = Table("kind", "what", title=answer["folder"])
    for name in ("entries", "size", "newest use"):
        table.add_column(name, justify="right")
    for row in answer["kinds"]:
        if row["entries"]:
            used = row["newest_use"][:16].replace("T", " ")
            table.add_row(row["name"], row["what"], str(row["entries"]), decimal(row["bytes"]), used)
    if table.rows:
        print_table(table)
    else:
        out.print(f"{answer['folder']}: nothing here", highlight=False, markup=False)
    if "removed" in answer:
        gone = answer["removed"]
        out.print(f"removed {gone['entries']} of these, {decimal(gone['bytes'])}", highlight=False)
        for path in answer["in_use"]:
            err.print(f"note: {path} is in use, or cannot be removed; it stays", style="yellow", markup=False)
