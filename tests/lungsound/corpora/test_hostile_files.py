"""What stands where a file of a corpus should be: one sentence, no hang, bounded memory, for every corpus alike."""

import io
import os
import signal
import struct
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from small_corpora import SMALL

from lungsound.corpora.check import check
from lungsound.corpora.registry import read_corpus
from lungsound.errors import InputError

EVERY_FILE = [
    *((name, "audio") for name in SMALL),
    *((name, "text") for name in SMALL if name not in ("folders", "kauh")),
    *(("icbhi2017", name) for name in ("ICBHI_challenge_train_test.txt", "filename_differences.txt",
                                       "subset_manifest.csv", "ICBHI_Challenge_diagnosis.txt", "demographic_info.txt")),
]  # fmt: skip


@pytest.fixture(autouse=True)
def _no_hang():
    """A pipe that nobody writes to would be waited for until the end of the run."""

    def stop(*_):
        raise TimeoutError("nobody came within a minute")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def sparse(path):
    with path.open("wb") as file:
        file.write(b"RIFF\x24\x00\x00\x80WAVE")
        file.truncate(2**33)


HOSTILE = {
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a pipe": os.mkfifo,
    "a folder": lambda path: path.mkdir(),
    "a circle": lambda path: path.symlink_to(path.name),
    "empty": lambda path: path.write_bytes(b""),
    "binary": lambda path: path.write_bytes(bytes(range(128, 256)) * 10),
    "endless": sparse,
}


def faults_of(name, root):
    try:
        return check(read_corpus(name, root))["problems"]
    except InputError as error:
        return [str(error)]


@pytest.mark.parametrize(("name", "kind"), EVERY_FILE, ids=lambda value: value)
def test_what_is_no_file_of_a_corpus_is_named(tmp_path, name, kind):
    small = SMALL[name](tmp_path)
    path = small.audio if kind == "audio" else small.texts.get(kind) or next(iter(small.texts.values()))
    assert faults_of(name, small.root) == []
    for hostile, make in HOSTILE.items():
        path.rmdir() if path.is_dir() else path.unlink()
        make(path)
        faults = faults_of(name, small.root)
        if (name, kind, hostile) == ("audacity", "text", "empty"):
            assert faults == []  # somebody listened and heard nothing
            continue
        named = [fault for fault in faults if str(path) in fault]
        assert len(named) == len(faults) == 1, (hostile, faults)
        assert "\n" not in faults[0]
        assert "; " in faults[0]
        assert len(faults[0]) < 800


@pytest.mark.parametrize("name", SMALL)
def test_dot_files_are_left_out(tmp_path, name):
    small = SMALL[name](tmp_path)
    before = check(read_corpus(name, small.root))
    for path in [path for path in tmp_path.rglob("*") if path.is_file()]:
        (path.parent / f"._{path.name}").write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X        \0\2")
        (path.parent / f".{path.name}").write_bytes(b"")
    (tmp_path / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / small.audio.name).write_bytes(small.audio.read_bytes())
    assert check(read_corpus(name, small.root)) == before


@pytest.mark.parametrize(("name", "kind"), EVERY_FILE, ids=lambda value: value)
def test_what_may_not_be_read_is_named(unprivileged, name, kind):
    small = SMALL[name](unprivileged)
    path = small.audio if kind == "audio" else small.texts.get(kind) or next(iter(small.texts.values()))
    for denied in (path, path.parent):
        mode = denied.stat().st_mode
        denied.chmod(0)
        faults = faults_of(name, small.root)
        denied.chmod(mode)
        assert faults
        assert any(str(denied) in fault for fault in faults)


def wav(channels=1, rate=8000, bits=16, data_bytes=16, content=bytes(16)):
    form = struct.pack("<HHIIHH", 1, channels % 2**16, rate % 2**32, 0, 2, bits)
    chunks = b"WAVE" + struct.pack("<4sI", b"fmt ", 16) + form + struct.pack("<4sI", b"data", data_bytes) + content
    return struct.pack("<4sI", b"RIFF", 2**32 - 1) + chunks


@pytest.mark.parametrize(
    "content",
    [
        wav(data_bytes=2**32 - 2**16), wav(data_bytes=2**31 - 2**17), wav(channels=2**16 - 1), wav(channels=2**15),
        wav(rate=0), wav(rate=-8000), wav(rate=1), wav(rate=2**31), wav(bits=0), wav(bits=2**16 - 1), wav(content=b""),
        wav(data_bytes=16)[:-20], b"RIFF" + bytes(2**22),
    ],
    ids=range(13),
)  # fmt: skip
def test_a_header_that_lies_is_a_sentence_when_the_corpus_is_read_to_its_end(tmp_path, content):
    small = SMALL["folders"](tmp_path)
    small.audio.write_bytes(content)
    (fault,) = faults_of("folders", small.root)
    assert str(small.audio) in fault


def test_names_that_no_file_system_takes(tmp_path):
    small = SMALL["table"](tmp_path)
    for path in ("n" * 300, "n" * 100_000, "/dev/zero", "../" * 3000, "a\u2028b", "~", "con:", "file:///a.wav"):
        small.root.write_text(f"path,crackle\na.wav,1\n{path}.wav,0\n{path},1\n")
        faults = faults_of("table", small.root)
        assert len(faults) == 2
        assert all(len(fault) < 1500 for fault in faults)
    for root in (tmp_path / ("n" * 300), tmp_path / "a\0b"):
        for name in SMALL:
            with pytest.raises(InputError):
                read_corpus(name, root)


HUGE = {
    "icbhi2017": ("annotation", lambda: b"0\t1\t0\t0 " * 4_000_000),
    "sprsound": ("annotation", lambda: b"[" * 10_000 + b"]" * 10_000),
    "hls_cmds": ("table", lambda: b"a," * 10_000_000),
    "audacity": ("track", lambda: b"".join(b"0\t.5\tword %d\n" % number for number in range(60_000))),
}
HUGE_TABLES = {
    "rows": lambda: b"path,crackle\n" + b"1,0\n" * 15_000_000,
    "lines": lambda: b"path,crackle\n" + b"\n" * 60_000_000,
    "values": lambda: b"path,crackle\n" + b"12," * 20_000_000,
    "columns": lambda: b",".join(b"c%d" % number for number in range(2_000_000)),
    "quotes": lambda: b"path,crackle\n" + b'"a\n",' * 10_000_000,
    "files": lambda: b"path,crackle\n" + b"".join(b"%d.wav,1\n" % number for number in range(50_000)),
}
PEAK = """
import sys
from pathlib import Path
from resource import RLIMIT_CPU, setrlimit
from lungsound.corpora.check import check
from lungsound.corpora.registry import read_corpus
from lungsound.errors import InputError
setrlimit(RLIMIT_CPU, (60, 60))
for name, root in zip(sys.argv[1::2], sys.argv[2::2]):
    try:
        assert check(read_corpus(name, Path(root)))["problems"], root
    except InputError as error:
        assert str(error).startswith(root), error
        assert len(str(error)) < 2000
    # Not what getrusage says, which is no less than what the process had that began this one.
    peak = int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
    assert peak < 2**20, (root, peak)  # KiB
"""


def flac_of(samples):
    """A few seconds that call themselves so many samples."""
    file = io.BytesIO()
    soundfile.write(file, np.zeros(20_000), 8000, format="FLAC")
    content = bytearray(file.getvalue())
    content[21:26] = (content[21] >> 4 << 36 | samples).to_bytes(5, "big")
    return bytes(content)


def parquet_bombs():
    """Tables of a few kilobytes on disk, which are gigabytes if each value is one by itself."""
    import pyarrow as pa

    rows, text = 40_000, "x" * 2_000_000
    once = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array([text]))
    yield pa.table({"path": once, "crackle": [1] * rows})
    yield pa.table({"path": once.cast(pa.dictionary(pa.int32(), pa.binary())), "crackle": [1] * rows})
    yield pa.table({"path": pa.array([text.encode()] * 40, pa.binary(len(text))), "crackle": [1] * 40})
    yield pa.table({"path": [text + " "] * 40, "crackle": [1] * 40})
    yield pa.table({"path": pa.nulls(2**24), "crackle": pa.nulls(2**24)})


@pytest.mark.slow
def test_huge_files_stay_under_a_gigabyte(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    words = []
    for name, (kind, content) in HUGE.items():
        (tmp_path / name).mkdir()
        small = SMALL[name](tmp_path / name)
        small.texts[kind].write_bytes(content())
        words += [name, str(small.root)]
    for name, content in HUGE_TABLES.items():
        (tmp_path / f"{name}.csv").write_bytes(content())
        words += ["table", str(tmp_path / f"{name}.csv")]
    for number, table in enumerate(parquet_bombs()):
        path = tmp_path / f"{number}.parquet"
        parquet.write_table(table, path)
        assert path.stat().st_size < 2**20
        words += ["table", str(path)]
    (tmp_path / "long").mkdir()
    small = SMALL["folders"](tmp_path / "long")
    small.audio.with_suffix(".flac").write_bytes(flac_of(2**27))
    words += ["folders", str(small.root)]
    signal.alarm(0)  # there are no pipes here, and the limit is one of computing
    told = subprocess.run([sys.executable, "-c", PEAK, *words], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr[-2000:]
