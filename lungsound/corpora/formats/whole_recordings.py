"""Corpora whose labels are those of whole recordings: one event from beginning to end."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from lungsound.corpora.formats.audio_files import measure
from lungsound.corpora.formats.text import listed
from lungsound.corpus import Corpus, make_corpus

_NO_SOUND = 44  # bytes of a WAV header, behind which nothing follows


@dataclass
class WholeRecordings:
    """Recordings as they are read, and what is known of each.

    Attributes
    ----------
    labels : sequence of str
        All that a recording may have.
    """

    labels: Sequence[str]
    diagnoses: dict[str, str] = field(default_factory=dict)
    _recordings: list[dict[str, object]] = field(default_factory=list)
    _events: list[dict[str, object]] = field(default_factory=list)
    _empty: list[str] = field(default_factory=list)
    _unheard: list[str] = field(default_factory=list)

    def add(
        self,
        name: str,
        file: Path | None,
        present: Collection[str],
        *,
        patient: str = "",
        site: str = "",
        device: str = "",
        split: str = "",
        age: float = math.nan,
        sex: str = "",
        usable: bool = True,
    ) -> None:
        """Add a recording with the labels that it has.

        Where it is not `usable`, nobody listens to it: it gets no event and is not normal either. A file without any
        sound, as published corpora hold some, is left out with a note.

        Raises
        ------
        InputError
            If the file cannot be read, see :func:`lungsound.corpora.formats.audio_files.measure`.
        """
        if file is not None and file.is_file() and 0 < file.stat().st_size <= _NO_SOUND:
            self._empty.append(name)
            return
        path, seconds, sample_rate = measure(file)
        known = {"recording": name, "path": path, "seconds": seconds, "sample_rate": sample_rate}
        said = {"patient": patient or name, "site": site, "device": device, "split": split, "record_type": ""}
        self._recordings.append(known | said | {"continuous": usable, "age": age, "sex": sex})
        if not usable:
            self._unheard.append(name)
        elif path:
            has = {label: int(label in present) for label in self.labels}
            self._events.append({"recording": name, "start": 0.0, "end": seconds, **has})

    def corpus(self, name: str, root: Path, notes: Sequence[str], faults: Sequence[str]) -> Corpus:
        """Return what was added as a corpus."""
        more = {
            "files without sound, left out": self._empty,
            "recordings that the corpus calls unusable, not listened to": self._unheard,
        }
        notes = [*notes, *(f"{note}: {listed(names)}" for note, names in more.items() if names)]
        corpus = make_corpus(name, root.resolve(), self._recordings, self._events, notes, labels=self.labels)
        return replace(corpus, faults=tuple(faults), diagnoses=self.diagnoses)
