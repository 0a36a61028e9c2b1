"""A few recordings of a real corpus, in its own layout: enough that training and validation hear every class."""

import shutil
from pathlib import Path

from lungsound.corpus import Corpus

PATIENTS = 2
"""Who make a class, at least where the corpus has as many."""


def few_recordings(corpus: Corpus, root: Path) -> Path:
    """Copy the shortest recordings of the training part with each combination of labels into `root`, and return it."""
    train = corpus.recordings.loc[corpus.recordings["split"] == "train", "recording"]
    lengths = corpus.events.groupby("recording").size()
    events = corpus.events[corpus.events["recording"].isin(train)]
    chosen: set[str] = set()
    for _, same in events.groupby(list(corpus.labels), sort=True):
        shortest = same.assign(length=same["recording"].map(lengths)).sort_values(["length", "recording"])
        chosen |= set(shortest.drop_duplicates("patient")["recording"][:PATIENTS])
    for path in corpus.root.rglob("*"):
        place = root / path.relative_to(corpus.root)
        if path.is_file() and (path.stem in chosen or path.parent == corpus.root):
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, place)
    return root
