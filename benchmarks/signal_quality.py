"""Fit the check of the signal, and measure it on recordings, patients, speakers and places that it was not fitted to.

    python benchmarks/signal_quality.py --write      # fits and writes lungsound/quality/weights.json
    python benchmarks/signal_quality.py              # measures, by five folds

Needs $AUSCULT_SHARED/data (SPRSound 2022, esc10, noise, speech, heart, icbhi2017, hls_cmds). Folds are of patients, of
source clips (esc10), of files (noise) and of speakers: nothing of one is on both sides. Recordings of heart, ICBHI 2017
and HLS-CMDS are fitted to nowhere. A recording is answered with "listen again" where most of its windows of 4 s are.
"""

import argparse
import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import binomtest
from sklearn.linear_model import LogisticRegression

from lungsound.audio import read_pcm
from lungsound.corpora import icbhi2017, sprsound
from lungsound.corpora.splits import assign
from lungsound.quality import check
from lungsound.quality.bands import BANDS
from lungsound.quality.check import Reason, SignalCheck, steadiness
from lungsound.quality.features import Signal, signal

SHARED = Path(os.environ.get("AUSCULT_SHARED", "../shared")) / "data"
RATE, SECONDS, HOP = 4000, 4, 2
FOLDS = 5
GOOD_LEFT = 0.04  # share of good recordings that `contact` may cost
NOISE_LEFT = 0.05  # share of a source's clips that `noise` may miss, so that it lies as far from breath as it can
EQUALISER = 6.0  # dB; deviation of the gains that each band is given, so that no stethoscope's response is learnt
PENALTY = 0.05
QUIET_PEAK, CLIPPED_PEAK = 16, 32440  # -66 and -0.1 dB of full scale
MOST_QUIET, MOST_CLIPPED = 128, 64  # of 256
HUM = 30


@dataclass
class Heard:
    """Windows of all sources: a row each in `table` (source, kind, group, file), and what their signal tells."""

    table: pd.DataFrame
    signal: Signal

    def where(self, rows):
        """Return some of the rows."""
        rows = np.asarray(rows)
        heard = self.signal
        return Heard(self.table[rows].reset_index(drop=True), Signal(heard.features[rows], heard.peaks[rows]))


def files():
    """Every file with its source, kind and the group that no two folds share."""
    corpus = sprsound.load(SHARED / "sprsound")
    parts = assign(corpus, drop_shared=False, validation=0.2, seed=0).parts
    for row in corpus.recordings.itertuples():
        source = f"sprsound {'intra' if row.split == 'intra' else 'train'}"
        kind = "poor" if row.record_type == sprsound.POOR else parts.get(row.recording, "")
        yield source, kind, row.patient, row.path
    for row in icbhi2017.load(SHARED / "icbhi2017").recordings.itertuples():
        if row.path and row.continuous:
            yield "icbhi2017", row.device, row.patient, row.path
    for path in sorted((SHARED / "esc10").glob("*/*.flac")):
        yield "esc10", path.parent.name[6:].replace("_", " ").lower(), path.stem.split("-")[1], path
    for source, pattern in (("noise", "*.flac"), ("speech", "*.flac"), ("heart", "*.flac"), ("hls_cmds", "LS/*.wav")):
        for path in sorted((SHARED / source).glob(pattern)):
            yield source, source, path.stem, path


def hear(rows):
    """Cut every file into windows; what is shorter is repeated."""
    table, features, peaks = [], [], []
    samples = RATE * SECONDS
    for source, kind, group, path in rows:
        pcm = read_pcm(path, RATE)
        pcm = np.resize(pcm, max(len(pcm), samples)) if len(pcm) else np.zeros(samples, np.int16)
        windows = np.stack([pcm[s : s + samples] for s in range(0, len(pcm) - samples + 1, RATE * HOP)])
        found = signal(windows, RATE)
        features.append(found.features)
        peaks.append(found.peaks)
        table += [(source, kind, f"{source.split()[0]} {group}", str(path))] * len(windows)
    columns = ["source", "kind", "group", "file"]
    return Heard(pd.DataFrame(table, columns=columns), Signal(np.concatenate(features), np.concatenate(peaks)))


def fit_score(features, positive, weight, *, levels):
    """Logistic regression on standardised features, as whole weights of the features themselves, and its zero."""
    values = features.astype(float)
    if levels:
        gains = np.random.default_rng(0).normal(0, EQUALISER, (len(values), BANDS)) / 6.02 * 16 * 16
        values[:, :BANDS] += gains
        values[:, :BANDS] -= values[:, :BANDS].mean(axis=1, keepdims=True)  # a gain says nothing
    else:
        values[:, :BANDS] = 0
    centre, width = values[~positive].mean(axis=0), values[~positive].std(axis=0) + 1e-9
    scaled = np.clip((values - centre) / width, -6, 6)
    model = LogisticRegression(C=PENALTY, max_iter=200, solver="newton-cholesky")
    model.fit(scaled, positive, sample_weight=weight)
    slopes = model.coef_[0] / width
    if levels:
        slopes[:BANDS] -= slopes[:BANDS].mean()
    unit = min(check._MOST_WEIGHT * 0.98 / np.abs(slopes).sum(), check._LARGEST_WEIGHT * 0.98 / np.abs(slopes).max())
    whole = np.rint(slopes * unit).astype(int)
    if levels:
        whole[0] -= whole[:BANDS].sum()
    zero = float(slopes @ centre) - model.intercept_[0]
    return whole.tolist(), round(zero * unit)


def balanced(table, positive):
    """Weights by which files count alike, sources of a class alike, and both classes alike; they add up to the rows."""
    weight = 1 / table.groupby("file")["file"].transform("size").to_numpy()
    side = pd.Series(np.where(positive, table["source"], "negative"))
    weight /= pd.Series(weight).groupby(side).transform("sum").to_numpy()
    weight /= pd.Series(weight).groupby(positive).transform("sum").to_numpy()
    return weight * len(table) / 2


def by_file(table, values, how):
    return pd.Series(values).groupby(table["file"].to_numpy()).agg(how)


def fit(heard):
    """Fit the whole check to rows of training recordings, poor ones, and sounds of the surroundings."""
    table, features = heard.table, heard.signal.features
    lungs = table["source"].eq("sprsound train").to_numpy()
    poor = lungs & table["kind"].eq("poor").to_numpy()
    good = lungs & ~poor
    around = ~lungs
    scores = {}
    for name, rows, positive, levels in (
        ("noise", good | around, around, True),
        ("voice", around, table["source"].eq("speech").to_numpy() | table["kind"].eq("baby cry").to_numpy(), True),
        ("contact", lungs, poor, False),
    ):
        chosen = table[rows].reset_index(drop=True)
        weight = balanced(chosen, positive[rows])
        weights, zero = fit_score(features[rows], positive[rows], weight, levels=levels)
        scores[name] = [weights, zero]
    sums = features @ np.array(scores["noise"][0])
    low = [
        np.quantile(by_file(table[rows], sums[rows], "median"), NOISE_LEFT)
        for rows in (table["source"].eq(source).to_numpy() for source in ("esc10", "noise", "speech"))
    ]
    scores["noise"][1] = int(min(low))
    sums = features @ np.array(scores["contact"][0])
    scores["contact"][1] = int(np.ceil(np.quantile(by_file(table[good], sums[good], "median"), 1 - GOOD_LEFT)))
    plain = {
        "quiet_peak": QUIET_PEAK,
        "most_quiet": MOST_QUIET,
        "clipped_peak": CLIPPED_PEAK,
        "most_clipped": MOST_CLIPPED,
        "hum": HUM,
    }
    return SignalCheck.from_dict(plain | {n: {"weights": w, "threshold": t} for n, (w, t) in scores.items()})


def share(left):
    interval = binomtest(int(left.sum()), len(left)).proportion_ci(method="wilson")
    return f"{left.mean():6.1%}  {interval.low:5.1%} to {interval.high:5.1%}  of {len(left)}"


def measure(heard):
    """Reasons of every window, of those fitted to by the fold that did not see them."""
    table = heard.table
    fitted = table["source"].isin(["sprsound train", "esc10", "noise", "speech"]).to_numpy()
    groups = sorted(set(table["group"][fitted]))
    order = np.random.default_rng(0).permutation(len(groups))
    fold = table["group"].map({name: int(place) % FOLDS for name, place in zip(groups, order, strict=True)}).to_numpy()
    reasons = np.zeros(len(table), np.uint8)
    for number in range(FOLDS):
        found = fit(heard.where(fitted & (fold != number)))
        rows = fitted & (fold == number)
        reasons[rows] = found.reasons_of(heard.where(rows).signal)
    reasons[~fitted] = fit(heard.where(fitted)).reasons_of(heard.where(~fitted).signal)
    return reasons


def tell(heard, reasons):
    table = heard.table
    left = by_file(table, reasons != Reason.NONE, lambda values: values.mean() > 0.5)
    info = table.groupby("file").first().loc[left.index]
    print("recordings answered with 'listen again', 95 % interval by Wilson")
    kind = np.where(info["source"].eq("sprsound train") & info["kind"].ne("poor"), "good", info["kind"])
    for (source, name), rows in left.groupby([info["source"], kind]):
        print(f"{source:16} {name:16} {share(rows)}")
    surroundings = info["source"].isin(["esc10", "noise", "speech"])
    print(f"{'esc10, noise and speech':33} {share(left[surroundings])}")
    print(f"{'and poor recordings':33} {share(left[surroundings | info['kind'].eq('poor')])}")
    names = pd.Series(reasons).map(lambda value: Reason(value).title or "answered")
    kinds = table["kind"].where(table["source"].eq("esc10") | table["kind"].eq("poor"), "")
    windows = pd.crosstab([table["source"], kinds], names.to_numpy(), normalize="index")
    print("windows by what they are answered, percent")
    print(windows.mul(100).round(1).to_string())
    print(f"the steadiest window of each source; below {HUM} it hums")
    print(pd.Series(steadiness(heard.signal.features)).groupby(table["source"]).min().to_string())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="fit to all but validation, and write")
    arguments = parser.parse_args()
    heard = hear(files())
    if arguments.write:
        table = heard.table
        rows = table["source"].isin(["sprsound train", "esc10", "noise", "speech"]) & table["kind"].ne("validation")
        place = Path(check.__file__).with_name("weights.json")
        place.write_text(json.dumps(fit(heard.where(rows)).to_dict(), indent=1) + "\n")
        print(f"{place}: written")
    else:
        tell(heard, measure(heard))


if __name__ == "__main__":
    main()
