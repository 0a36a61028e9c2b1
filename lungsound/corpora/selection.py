"""From corpora named on a command line to the windows that one part of their split gives."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from lungsound.corpora.registry import open_corpus, parse_data
from lungsound.corpora.splits import CHOICE, Split, assign, warnings
from lungsound.corpus import Corpus
from lungsound.errors import InputError
from lungsound.labels import LABELS
from lungsound.listening import Listening, check_protocols
from lungsound.terminal import err, progress
from lungsound.windows import cycles, stream


def usual_labels(data: Sequence[str]) -> tuple[str, ...]:
    """Return the labels that count where nobody names any.

    Parameters
    ----------
    data : sequence of str
        Corpora on the command line.

    Returns
    -------
    tuple of str
        Crackle and wheeze where every corpus has them, else all that the corpora share, in the order of the first,
        which is said on stderr.

    Raises
    ------
    InputError
        If they share none, or a corpus cannot be read.
    """
    return shared_labels([open_corpus(*parse_data(text)) for text in progress(data, "reading corpora")])


def shared_labels(corpora: Sequence[Corpus]) -> tuple[str, ...]:
    """Return the labels that count of corpora that are read; see :func:`usual_labels`."""
    shared = [label for label in corpora[0].labels if all(label in corpus.labels for corpus in corpora)]
    if not shared:
        offers = "; ".join(f"{corpus.name} offers {', '.join(corpus.labels)}" for corpus in corpora)
        raise InputError(f"the corpora share no label: {offers}; train on one of them")
    if set(LABELS) <= set(shared):
        return LABELS
    err.print(f"labels: {', '.join(shared)}", highlight=False, markup=False)
    return tuple(shared)


@dataclass(frozen=True)
class Selection:
    """Corpora and how their recordings fall into training, validation and test.

    Attributes
    ----------
    corpora : tuple of Corpus
        As read from disk, recordings without audio left out.
    splits : tuple of Split
        One a corpus.
    """

    corpora: tuple[Corpus, ...]
    splits: tuple[Split, ...]

    @classmethod
    def open(cls, data: Sequence[str], *, drop_shared: bool, validation: float, seed: int) -> "Selection":
        """Open corpora given as ``name:root`` and assign their recordings.

        Parameters
        ----------
        data : sequence of str
            Corpora on the command line.
        drop_shared : bool
            Leave test recordings of patients that training also has out of the test.
        validation : float
            Share of the training patients that validation gets.
        seed : int
            Of that draw.
        """
        corpora = tuple(open_corpus(*parse_data(text)).with_audio() for text in progress(data, "reading corpora"))
        splits = tuple(assign(c, drop_shared=drop_shared, validation=validation, seed=seed) for c in corpora)
        return cls(corpora, splits)

    @property
    def synthetic(self) -> bool:
        """Whether any of the corpora is synthetic."""
        return any(corpus.synthetic for corpus in self.corpora)

    @property
    def warnings(self) -> list[str]:
        """Why figures on these corpora may mean less than they seem to, a sentence each."""
        return [f"{corpus.name}: {warning}" for corpus in self.corpora for warning in warnings(corpus)]

    @property
    def hash(self) -> str:
        """Sha256 over the splits' own hashes, in the order of the corpora."""
        return hashlib.sha256("\n".join(split.hash for split in self.splits).encode()).hexdigest()

    def has(self, part: str) -> bool:
        """Whether any recording is in `part`."""
        return any(part in split.parts.values() for split in self.splits)

    def windows(self, part: str, protocols: Sequence[str], listening: Listening) -> pd.DataFrame:
        """Return the windows of one part, corpus after corpus, protocol after protocol.

        Parameters
        ----------
        part : str
            ``train``, ``validation``, or a test part of the corpora (``test``, ``intra``, ``inter``).
        protocols : sequence of str
            Of `listening.PROTOCOLS`.
        listening : Listening
            Gives the window, the hop of a stream and the labels.

        Raises
        ------
        InputError
            If the part is empty, a protocol is unknown or a corpus lacks a label.
        """
        check_protocols(protocols)
        tables = []
        for corpus, split in zip(self.corpora, self.splits, strict=True):
            chosen = split.part(corpus, part)
            if "cycles" in protocols:
                tables.append(cycles(chosen, listening.seconds, listening.labels))
            if "stream" in protocols:
                tables.append(stream(chosen, listening.seconds, listening.hop_seconds, listening.labels))
        windows: pd.DataFrame = pd.concat(tables, ignore_index=True)
        if windows.empty:
            names = ", ".join(corpus.name for corpus in self.corpora)
            raise InputError(f"{names}: no windows in part {part!r} for {' and '.join(protocols)}; name another part")
        return windows

    def events(self, windows: pd.DataFrame, labels: Sequence[str]) -> pd.DataFrame:
        """Return the annotated events of the recordings that some windows are of.

        Columns ``corpus``, ``recording``, ``start``, ``end`` (seconds) and a column of 0 and 1 for each label.
        """
        tables = []
        for corpus in self.corpora:
            heard = windows.loc[windows["corpus"] == corpus.name, "recording"]
            events = corpus.events[corpus.events["recording"].isin(heard)].assign(corpus=corpus.name)
            tables.append(events[["corpus", "recording", "start", "end", *labels]])
        return pd.concat(tables, ignore_index=True)

    def trained(self, windows: pd.DataFrame) -> pd.Series:
        """Return of which windows the training or validation part of their corpus has the patient, too."""
        known = set[tuple[str, str]]()
        for corpus, split in zip(self.corpora, self.splits, strict=True):
            chosen = corpus.recordings["recording"].map(split.parts).isin(CHOICE)
            known |= {(corpus.name, patient) for patient in corpus.recordings.loc[chosen, "patient"]}
        pairs = zip(windows["corpus"], windows["patient"], strict=True)
        return pd.Series([pair in known for pair in pairs], index=windows.index, dtype=bool)
