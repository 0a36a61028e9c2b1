"""Recordings of one's own, sorted into folders: a folder a class."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lungsound.corpora.formats.annotations import label_names
from lungsound.corpora.formats.audio_files import audio_below, own_recording
from lungsound.corpora.formats.text import listed
from lungsound.corpora.registry import register
from lungsound.corpora.splits import PARTS
from lungsound.corpus import Corpus, make_corpus
from lungsound.errors import InputError, gathered
from lungsound.labels import LABELS, checked_labels


@register(
    "folders",
    what="recordings of one's own, a folder a class",
    layout="ROOT/crackle/a.wav, ROOT/crackle+wheeze/b.wav, ROOT/normal/c.wav and so on; or the same below "
    "ROOT/train and ROOT/test.",
    terms="the owner's",
    paper="none",
)
def load(root: Path) -> Corpus:
    """Read recordings that are labelled by the folder they lie in.

    A recording is one event from its beginning to its end. The folders ``normal``, ``none`` and ``healthy`` hold sound
    without a label, ``crackle+wheeze`` holds sound with both. Where all folders of `root` are parts of a split
    (``train``, ``validation``, ``test``), those in them are the classes.

    Parameters
    ----------
    root : Path
        Folder of the folders.

    Returns
    -------
    Corpus
        Nothing is known of patients: ``patient`` is the recording.

    Raises
    ------
    InputError
        If there is no audio in any folder, or no folder is a label.
    """
    faults, notes = list[str](), list[str]()
    files = [(path.relative_to(root).parts, path) for path in audio_below(root, faults)]
    by_split = all(places[0] in PARTS for places, _ in files if len(places) > 1)
    recordings: list[dict[str, object]] = []
    labelled: dict[str, tuple[str, ...]] = {}
    loose = []
    for places, path in files:
        split, *places_left = places if by_split else ("", *places)
        if len(places_left) < 2:
            loose.append("/".join(places))
            continue
        with gathered(faults):
            names = label_names(str(root / "/".join(places[:-1])), places_left[0])
            recordings.append(own_recording(root, path, split))
            labelled["/".join(places)] = names
    if loose:
        notes.append(f"audio that lies in no folder of a class, left out: {listed(loose)}")
    labels = tuple(sorted({label for names in labelled.values() for label in names}))
    _refuse_nothing(root, files, labels, faults)
    labels = checked_labels(labels or LABELS, root)  # where none could be read, the faults say why
    events = [
        {"recording": row["recording"], "start": 0.0, "end": row["seconds"]}
        | {label: int(label in labelled[str(row["recording"])]) for label in labels}
        for row in recordings
    ]
    corpus = make_corpus("folders", root.resolve(), recordings, events, notes, labels=labels)
    return replace(corpus, faults=tuple(faults))


def _refuse_nothing(root: Path, files: Sequence[object], labels: tuple[str, ...], faults: list[str]) -> None:
    if not (labels or faults):
        found = "no folder names a sound" if files else "holds no audio"
        raise InputError(f"{root}: {found}; name a folder that holds one for each class, such as crackle and normal")
