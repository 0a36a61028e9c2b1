"""A page of the documentation as a newcomer follows it: its files in a copy of the sources, its commands run there."""

import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from warm_process import WarmProcess

ROOT = Path(__file__).parents[2]
PACKAGES = ("auscult", "firmware_bridge", "export", "distill", "teachers", "students", "lungsound", "recipes")
_BLOCK = re.compile(r"^```\{code-block\} \w+\n:caption: ([^\n]+)\n\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_EDIT = re.compile(r"(imports|[A-Z]+) of (\S+)")
_RUN_COMMANDS = """
import shlex, sys
from pathlib import Path
import pytest
from auscult.cli import main
programs = {"auscult": main, "pytest": lambda: sys.exit(pytest.main(sys.argv[1:]))}
for line in sys.stdin.read().splitlines():
    runs = sorted(Path("runs").glob("*/run.json"), key=lambda file: file.stat().st_mtime)
    sys.argv = shlex.split(line.replace("RUN", str(runs[-1].parent)) if runs else line)
    print(">", *sys.argv, flush=True)
    try:
        programs[sys.argv[0]]()
    except SystemExit as stopped:
        if stopped.code:
            sys.exit(f"{line}: exit code {stopped.code}")
"""


@dataclass(frozen=True)
class Page:
    """The captioned blocks of a page: files by their path, and the lines of all blocks called `commands`."""

    files: dict[str, str]
    commands: list[str]

    @classmethod
    def read(cls, name: str) -> "Page":
        blocks = _BLOCK.findall((ROOT / "docs" / name).read_text())
        commands = [line for caption, text in blocks if caption == "commands" for line in text.splitlines() if line]
        return cls({caption: text for caption, text in blocks if caption != "commands"}, commands)

    def write(self, folder: Path) -> None:
        """Write the files into a copy of the sources; they are new ones, or the page touches what it need not."""
        for package in (*PACKAGES, "tests"):
            # Without what Python is writing at this moment, which has gone when its turn comes.
            shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("*.pyc.*"))
        shutil.copy(ROOT / "pyproject.toml", folder)
        for name, text in self.files.items():
            if edit := _EDIT.fullmatch(name):
                _insert(folder / edit[2], edit[1], text)
                continue
            assert not (folder / name).exists(), f"{name} is there already"
            (folder / name).write_text(text)

    def run(self, folder: Path, **places: Path) -> str:
        """Run the commands in that copy; words in capitals stand for `places`, RUN for the run before."""
        lines = "\n".join(self.commands)
        for word, place in places.items():
            lines = lines.replace(word, str(place))
        return python(folder, _RUN_COMMANDS, lines)


def _insert(file: Path, where: str, text: str) -> None:
    """Add lines behind the imports of a file, or at the beginning of a table in it."""
    before = "\n\n@" if where == "imports" else f"\n{where} = {{\n"
    content = file.read_text()
    place = content.index(before) + (1 if where == "imports" else len(before))
    file.write_text(content[:place] + text + content[place:])


def python(folder: Path, program: str, text: str = "") -> str:
    """Run a program on the copy of the sources in `folder`; returns what it printed."""
    environment = {"PYTHONPATH": str(folder), "AUSCULT_CACHE": str(folder / "cache")}
    path = [str(folder), *(place for place in sys.path if place.startswith((sys.prefix, sys.base_prefix)))]
    done = WarmProcess(program, cwd=folder, path=path, environment=environment, text=text).ended()
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    return done.stdout
