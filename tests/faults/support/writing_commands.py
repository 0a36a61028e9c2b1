"""Every command that writes, small, and what it leaves when nothing goes wrong."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fork_server import Ended, ForkServer, Job

PATIENTS, SEED = 4, 8
"""Of the corpus; with this seed every part has crackles and wheezes."""

SMALL = ["--data", "icbhi2017:{corpus}", "--protocol", "stream", "--seconds", "2", "--hop", "2", "--validation", "0.34"]
SMALL += ["--epochs", "2", "--batch-size", "8"]
DISTILL = ["distill", *SMALL, "--width", "0.125", "--heads", "2", "--teacher-run", "{teacher}", "--runs", "{work}/runs"]
PROBED = ["--task", "T10", "--data", "kauh:{kauh}", "--seconds", "2", "--epochs", "2"]

CLASSIFIED = ["--csv", "{work}/windows.csv", "--audacity", "{work}/tracks"]

COMMANDS = {
    "finetune": ["auscult", "finetune", *SMALL, "--fusion", "2,4", "--runs", "{work}/runs"],
    "distill": DISTILL,
    "distill --recipe": ["auscult", "distill", "--recipe", "{recipe}", *DISTILL[1:3], *DISTILL[-4:]],
    "export": ["auscult", "export", "{student}", "--int8", "tflite", "-o", "{work}/bundle"],
    "firmware": ["auscult", "firmware", "{bundle}", "--target", "cortex-m4", "-o", "{work}/firmware"],
    "evaluate": ["auscult", "evaluate", "{student}", *SMALL[:4], "--json", "-o", "{work}/evaluation"],
    "classify": ["auscult", "classify", "{corpus}", "--model", "{bundle}", *CLASSIFIED],
    "data synthesize": ["auscult", "data", "synthesize", "--patients", str(PATIENTS), "--", "{work}/corpus"],
    "data export": ["auscult", "data", "export", "icbhi2017:{corpus}", "-o", "{work}/table.csv"],
    "data shard": ["auscult", "data", "shard", *SMALL[:2], "--shard-seconds", "30", "-o", "{work}/shards"],
    "probe": ["auscult", "probe", *PROBED, "--from-run", "{student}", "--seeds", "1", "--runs", "{work}/runs"],
}
"""By name; the last word is where they write. The demo is made of these."""

RECIPE = """command = "distill"
protocol = ["stream"]
seconds = 2
hop = 2
validation = 0.34
epochs = 2
batch-size = 8
width = 0.125
heads = 2
"""

TRAININGS = ("finetune", "distill", "distill --recipe")
RESULTS = ("run.json", "weights.safetensors")
"""What a training is for; the rest of its folder is how it got there."""


@dataclass(frozen=True)
class Bench:
    """A place for one case: `work` and `cache` below `root`, where faults happen, and what commands are given."""

    server: ForkServer
    root: Path
    given: dict[str, str]

    @property
    def cache(self) -> Path:
        """AUSCULT_CACHE."""
        return self.root / "cache"

    def job(self, *commands: Sequence[object], told: str = "told", kill_at: int = -1, room: int = -1) -> Job:
        """Return commands of this place, their words filled in."""
        printed = self.root.parent / f"{self.root.name}-{told}"
        for folder in (printed, self.root / "work", self.cache):
            folder.mkdir(parents=True, exist_ok=True)
        filled = [
            [str(word).format(**self.given, root=self.root, work=self.root / "work") for word in words]
            for words in commands
        ]
        return Job(filled, str(self.root.parent), str(self.cache), str(printed), str(self.root), kill_at, room)

    def run(self, *words: object, kill_at: int = -1, room: int = -1) -> Ended:
        """Run one command."""
        return self.server.run(self.job(words, kill_at=kill_at, room=room))[0][0]

    def run_in_turn(self, *commands: Sequence[object]) -> list[Ended]:
        """Run commands one after the other in one process, up to one that ends it."""
        return self.server.run(self.job(*commands))[0]

    def run_at_once(self, *commands: Sequence[object]) -> list[Ended]:
        """Run commands at the same time."""
        jobs = [self.job(words, told=f"told-{place}") for place, words in enumerate(commands)]
        return [ended for (ended,) in self.server.run(*jobs)]

    def go_on(self, command: str) -> Ended:
        """Run a command again after a fault; a training that had begun is resumed."""
        begun = sorted((self.root / "work" / "runs").glob("[!.]*/settings.json")) if command in TRAININGS else []
        if not begun:
            return self.run(*COMMANDS[command])
        return self.run("auscult", command.split()[0], "--resume", begun[0].parent)


@dataclass(frozen=True)
class Undisturbed:
    """What a command leaves when nothing goes wrong, and the calls and bytes that it takes."""

    files: dict[str, bytes]
    calls: int
    bytes: int


def undisturbed(bench: Bench, command: str) -> Undisturbed:
    """Run a command without a fault."""
    ended = bench.run(*COMMANDS[command])
    assert ended.code == 0, ended.err
    return Undisturbed(files_of(bench.root), ended.calls, ended.bytes)


def files_of(root: Path) -> dict[str, bytes]:
    """Return the content of every file but locks and dot-named temporaries; the folder of a run is called RUN."""
    found = {}
    for path in sorted(root.rglob("*")):
        parts = list(path.relative_to(root).parts)
        if not path.is_file() or parts[:2] == ["cache", "locks"] or any(part.startswith(".") for part in parts):
            continue
        if parts[:2] == ["work", "runs"]:
            parts[2] = "RUN"
        found["/".join(parts)] = path.read_bytes()
    return found


def results(files: dict[str, bytes], command: str) -> dict[str, bytes]:
    """Return the files that a command is for, and what it stored for later."""
    if command not in TRAININGS:
        return files
    return {name: held for name, held in files.items() if name.startswith("cache/") or name.endswith(RESULTS)}


def temporaries(root: Path) -> list[str]:
    """Return the dot-named files and folders that are no locks."""
    hidden = [path for path in root.rglob(".*") if not path.name.endswith(".lock")]
    return sorted(str(path.relative_to(root)) for path in hidden)


def elsewhere(bench: Bench, root: Path) -> Bench:
    """Return a place of its own for another case."""
    return replace(bench, root=root)
