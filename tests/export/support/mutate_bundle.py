"""Mutated files of a bundle, whose checksums are mended, so that what reads them is tested and not the checksum.

In a process of its own, since a fault of a runtime's C++ would end the tests: prints one line of JSON, how many files
met which fate.

    python tests/export/support/mutate_bundle.py BUNDLE FILE COUNT
"""

import collections
import hashlib
import json
import random
import re
import shutil
import signal
import struct
import sys
import tempfile
from pathlib import Path

from export.bundle.golden import Golden
from export.bundle.manifest import MANIFEST_FILE
from export.bundle.memory import limited_memory
from export.bundle.opening import Bundle
from export.bundle.runtimes import RUNTIMES, as_input
from lungsound.errors import InputError

SECONDS = 20

_WORDS = [struct.pack("<i", value) for value in (0, 1, -1, 4, 255, 65536, 1 << 28, (1 << 31) - 1, -(1 << 31))]
_VALUES = ["null", "-1", "0", "1e308", "NaN", "true", '"x"', "[]", "{}", "[[[]]]", "9" * 30, '"../../etc/passwd"']


def mend(folder: Path) -> None:
    """Let a bundle's manifest describe the files that lie in it, and seal it."""
    file = folder / MANIFEST_FILE
    values = json.loads(file.read_text())
    for name in values["files"]:
        content = (folder / name).read_bytes()
        values["files"][name] = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    file.write_text(sealed(json.dumps(values, indent=2)))


def sealed(text: str) -> str:
    """Return a manifest's text with the checksum that it should have."""
    blank = re.sub(r'("sha256": ")[0-9a-f]{64}', rf"\g<1>{'0' * 64}", text, count=1)
    return blank.replace("0" * 64, hashlib.sha256(blank.encode()).hexdigest(), 1)


def mutated(content: bytes, rng: random.Random) -> bytes:
    """Return bytes with a few of them changed, most of them where a file has its structure: at its ends."""
    changed = bytearray(content)
    for _ in range(rng.choice([1, 1, 2, 8])):
        edge = rng.randrange(min(512, len(changed)))
        place = rng.choice([edge, len(changed) - 1 - edge, rng.randrange(len(changed))])
        match rng.choice(["bit", "bit", "word", "word", "cut", "insert", "swap"]):
            case "bit":
                changed[place] ^= 1 << rng.randrange(8)
            case "word":
                changed[place : place + 4] = rng.choice(_WORDS)
            case "cut" if rng.random() < 0.3:
                del changed[max(place, 16) :]
            case "insert":
                changed[place:place] = bytes(rng.randrange(256) for _ in range(rng.choice([1, 4])))
            case "swap":
                other = rng.randrange(len(changed))
                changed[place : place + 4], changed[other : other + 4] = (
                    changed[other : other + 4],
                    changed[place : place + 4],
                )
    return bytes(changed)


def mutated_text(text: str, rng: random.Random) -> str:
    """Return JSON with one of its values replaced, or its text damaged."""
    if rng.random() < 0.2:
        return mutated(text.encode(), rng).decode("utf-8", "replace")
    spans = [match.span(1) for match in re.finditer(r'": ("[^"]*"|[-0-9.e]+|true|null|\[[^\]]*\])', text)]
    start, end = rng.choice(spans[2:])  # the first two are the format and the seal
    return text[:start] + rng.choice(_VALUES) + text[end:]


def _use(folder: Path, name: str) -> str:
    """Open a bundle and use the file, as commands do; return what became of it."""
    try:
        bundle = Bundle.open(folder)
        golden = bundle.golden
        for runtime in [runtime for runtime in bundle.runtimes if name in (MANIFEST_FILE, RUNTIMES[runtime].file)]:
            _run(bundle, runtime, golden)
    except InputError as error:
        said = str(error)
        assert said.startswith(str(folder)), said
        assert "\n" not in said, said
        assert len(said) < 1000, said
        return "refused"
    return "used"


def _run(bundle: Bundle, runtime: str, golden: Golden) -> None:
    """Run a window, as `export.check.check` does all."""
    model = bundle.load(runtime)
    try:
        with limited_memory():
            model.run(as_input(model, golden.codes[:1], bundle.manifest.input))
    except InputError as error:
        raise InputError(f"{bundle.path}: {error}") from error


def _late(*_: object) -> None:
    raise TimeoutError(f"more than {SECONDS} s")


def main(source: str, name: str, count: str) -> None:
    """Mutate one file of a bundle again and again."""
    fates: collections.Counter[str] = collections.Counter()
    signal.signal(signal.SIGALRM, _late)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(shutil.copytree(source, Path(place) / "bundle"))
        _use(folder, name)
        original = (folder / name).read_bytes()
        for number in range(int(count)):
            rng = random.Random(f"{name} {number}")
            print(number, file=sys.stderr, flush=True)
            signal.alarm(SECONDS)
            if name == MANIFEST_FILE:
                (folder / name).write_text(sealed(mutated_text(original.decode(), rng)))
            else:
                (folder / name).write_bytes(mutated(original, rng))
                mend(folder)
            fates[_use(folder, name)] += 1
    signal.alarm(0)
    # The kernel's own figure: getrusage's starts at the parent's.
    (peak,) = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    print(json.dumps({"fates": fates, "peak_bytes": int(peak) << 10}))


if __name__ == "__main__":
    main(*sys.argv[1:])
