"""A network of the tests that answers with its whole input (keep_rows_net.h), written as a generated one would be."""

from pathlib import Path

_NET = Path(__file__).parent / "keep_rows_net.h"


def write_keep_rows(folder: Path, rows: int, shares: int | None = None) -> None:
    """Write net.h of a window of so many rows; with `shares` it answers after as many calls of net_work.

    In the file and not on the command line, so that the tests' ccache knows every other source again.
    """
    limit = "" if shares is None else f"#define SHARES {shares}u\n"
    (folder / "net.h").write_text(f"#define NET_ROWS {rows}\n{limit}{_NET.read_text()}")
