"""Log-mels of SPRSound's training events: lungsound.features.prepare against torchaudio, one file at a time.

The torchaudio side does what a Dataset does for an item (read, mix down, crop, resample, fade, tile, log-mel with equal
parameters), once as such, event by event, and once reading every file only once for all of its events. Ours is timed
cold (nothing prepared) and warm (prepared before: open, and read every value). All ways take turns over parts of the
corpus, so that a machine's drift hits them alike; the sound itself is in the page cache for all of them.

    python benchmarks/prepare_events.py --root ../shared/data/sprsound
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import soundfile
import torch

import lungsound.cpu_wheels  # noqa: F401  (torchaudio loads after it)
from lungsound.corpora.sprsound import load
from lungsound.features import prepare
from lungsound.logmel import SPECS, LogMelSpec
from lungsound.windows import cycles

SECONDS = 8.0
TURNS = 4
LN_SPECS = [name for name, spec in SPECS.items() if spec.log == "ln" and spec.mel_scale != "kaldi"]
WAYS = ("event by event", "file by file", "cold", "warm")


class TorchaudioEvents:
    """The published pipeline of a cycle, in torchaudio's transforms."""

    def __init__(self, spec: LogMelSpec, native_rate: int) -> None:
        from torchaudio.transforms import Fade, MelSpectrogram, Resample

        self.spec = spec
        fade = spec.sample_rate // 16
        self.resample = Resample(native_rate, spec.sample_rate)
        self.fades, self.fade_out = Fade(fade, fade, "linear"), Fade(0, fade, "linear")
        self.mel = MelSpectrogram(
            spec.sample_rate,
            n_fft=spec.n_fft,
            win_length=spec.window,
            hop_length=spec.hop,
            f_min=spec.f_min,
            f_max=spec.f_max,
            n_mels=spec.n_mels,
            norm="slaney" if spec.area_norm else None,
            mel_scale=spec.mel_scale,
            center=spec.padding == "reflect",
        )

    def __call__(self, sound: torch.Tensor, rate: int, start: float, end: float) -> torch.Tensor:
        """Return an event's log-mel, shape [frames, n_mels]."""
        cycle = self.fades(self.resample(sound[int(start * rate) : int(end * rate)]))
        samples = self.spec.samples(SECONDS)
        if len(cycle) > samples:
            window = cycle[:samples]
        else:
            window = self.fade_out(cycle.repeat(-(-samples // len(cycle)))[:samples])
        return torch.log(self.mel(window) + self.spec.floor).T

    def event_by_event(self, windows: pd.DataFrame) -> Iterator[torch.Tensor]:
        """Read the file for every event."""
        for path, start, end in windows[["path", "start", "end"]].itertuples(index=False):
            yield self(*read(path), start, end)

    def file_by_file(self, windows: pd.DataFrame) -> Iterator[torch.Tensor]:
        """Read the file once for its events, which follow one another."""
        for path, events in windows.groupby("path", sort=False):
            sound, rate = read(str(path))
            for start, end in events[["start", "end"]].itertuples(index=False):
                yield self(sound, rate, start, end)


def read(path: str) -> tuple[torch.Tensor, int]:
    sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return torch.from_numpy(sound).mean(1), rate


def seconds_of(features: Callable[[], Iterable[object]]) -> float:
    """Time until every window's log-mel has been in memory."""
    started = time.perf_counter()
    for logmel in features():
        np.asarray(logmel).sum()
    return time.perf_counter() - started


def measure(windows: pd.DataFrame, spec: LogMelSpec) -> dict[str, Any]:
    """Time the four ways over all windows; ratios are torchaudio's time over ours."""
    recordings = windows["path"].unique()
    (rate,) = {soundfile.info(path).samplerate for path in recordings}
    torchaudio = TorchaudioEvents(spec, rate)
    seconds, differences = np.zeros((TURNS, len(WAYS))), []
    for turn in range(TURNS):
        part = windows[windows["path"].isin(recordings[turn::TURNS])].reset_index(drop=True)
        differences.append(median_difference(torchaudio, part.head(20), spec))
        with tempfile.TemporaryDirectory() as folder:
            ways: tuple[Callable[[], Iterable[object]], ...] = (
                partial(torchaudio.event_by_event, part),
                partial(torchaudio.file_by_file, part),
                *2 * (partial(prepare, part, spec, SECONDS, Path(folder)),),
            )
            seconds[turn] = [seconds_of(way) for way in ways]
    total = seconds.sum(axis=0)
    return {
        "events": len(windows),
        "seconds": dict(zip(WAYS, total.tolist(), strict=True)),
        "cold_ratio": float(total[0] / total[2]),
        "cold_ratio_file_by_file": float(total[1] / total[2]),
        "cold_ratio_of_turns": (seconds[:, 0] / seconds[:, 2]).tolist(),
        "warm_ratio": float(total[0] / total[3]),
        "warm_ratio_file_by_file": float(total[1] / total[3]),
        "median_difference_nats": float(np.median(differences)),
    }


def median_difference(torchaudio: TorchaudioEvents, windows: pd.DataFrame, spec: LogMelSpec) -> float:
    """Compare the numbers themselves; the two resamplers differ, most of all between and near silence."""
    theirs = torch.stack(list(torchaudio.event_by_event(windows))).numpy()
    with tempfile.TemporaryDirectory() as folder:
        return float(np.median(np.abs(prepare(windows, spec, SECONDS, Path(folder)) - theirs)))


def main() -> None:
    """Print a paragraph a specification, or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True, help="SPRSound")
    parser.add_argument("--limit", type=int, help="events; all by default")
    parser.add_argument("--spec", action="append", choices=LN_SPECS, help="may be repeated [device_4k, m2d]")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # the fastest for torchaudio: one event is too little work to share
    corpus = load(arguments.root)
    windows = cycles(corpus.where(corpus.recordings["split"] == "train"), SECONDS).head(arguments.limit)
    for path in windows["path"].unique():
        Path(path).read_bytes()
    found = {name: measure(windows, SPECS[name]) for name in arguments.spec or ["device_4k", "m2d"]}
    if arguments.json:
        print(json.dumps(found, indent=2))
        return
    for name, row in found.items():
        times = ", ".join(f"{way} {value:.2f} s" for way, value in row["seconds"].items())
        print(f"{name}: {row['events']} events of {SECONDS:g} s windows: {times}")
        print(f"  cold {row['cold_ratio']:.1f}x ({row['cold_ratio_file_by_file']:.1f}x file by file), ", end="")
        print(f"warm {row['warm_ratio']:.0f}x ({row['warm_ratio_file_by_file']:.0f}x file by file)")


if __name__ == "__main__":
    main()
