"""Folders of shards among the corpora of a pre-training."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from lungsound.corpora.registry import SHARDS, open_corpus, parse_data
from lungsound.corpora.selection import Selection, shared_labels
from lungsound.corpora.splits import Split
from lungsound.corpus import Corpus, make_corpus
from lungsound.errors import InputError
from lungsound.logmel import LogMelSpec
from lungsound.shards.reading import ShardedClips


def opened_shards(data: Sequence[str]) -> dict[int, ShardedClips]:
    """Return the shards that a command line names as ``shards:FOLDER``, by their places among the corpora.

    Raises
    ------
    InputError
        If a folder is missing, or holds no finished shards.
    """
    named = [(source, *parse_data(text)) for source, text in enumerate(data)]
    found = {}
    for source, name, folder in named:
        if name == SHARDS:
            if folder is None:
                raise InputError(f"{SHARDS}: its folder is missing; write {SHARDS}:FOLDER")
            found[source] = ShardedClips(folder)
    return found


def usual_labels(data: Sequence[str]) -> tuple[str, ...]:
    """Return the labels that count where nobody names any; see :func:`lungsound.corpora.selection.usual_labels`."""
    shards = opened_shards(data)
    return shared_labels(
        [
            _corpus(shards[source]) if source in shards else open_corpus(*parse_data(text))
            for source, text in enumerate(data)
        ]
    )


def refuse_unheard(clips: ShardedClips, logmel: LogMelSpec, least: int) -> None:
    """Refuse shards of another sample rate than a log-mel's, or with a clip of fewer frames than `least`.

    Raises
    ------
    InputError
        If they are.
    """
    if clips.facts.sample_rate != logmel.sample_rate:
        raise InputError(
            f"{clips.folder}: shards of {clips.facts.sample_rate} Hz, and a log-mel of {logmel.sample_rate} Hz is "
            f"computed from them; write them with --sample-rate {logmel.sample_rate}"
        )
    if not len(clips):
        return
    recording, start, samples = clips.shortest()
    try:
        frames = logmel.frames(samples)
    except InputError:
        frames = 0
    if frames < least:
        raise InputError(
            f"{clips.folder}: the clip of {recording} from {start:g} s has {frames} frames, less than a patch of "
            f"{least}; write the shards without it, or take a narrower --patch"
        )


def labels_of(clips: ShardedClips, wanted: Sequence[str]) -> tuple[int, ...]:
    """Return where labels stand among those of shards.

    Raises
    ------
    InputError
        If they lack one.
    """
    _corpus(clips).refuse_unless_annotated(wanted)
    return tuple(clips.facts.labels.index(label) for label in wanted)


def note_of(clips: ShardedClips) -> str | None:
    """Return what to know of shards that hold more than a training part."""
    if clips.facts.split == "train":
        return None
    return f"{clips.folder}: shards of part {clips.facts.split!r}, all of which is trained on, so test on other sound"


def selection_with(selection: Selection, shards: Mapping[int, ShardedClips]) -> Selection:
    """Return corpora and shards in the order in which they were named; the parts of shards are those of whole files."""
    pairs = list(zip(selection.corpora, selection.splits, strict=True))
    for source, clips in sorted(shards.items()):
        pairs.insert(source, (_corpus(clips), Split(SHARDS, dict.fromkeys(clips.facts.digests, clips.facts.split))))
    return Selection(tuple(corpus for corpus, _ in pairs), tuple(split for _, split in pairs))


def _corpus(clips: ShardedClips) -> Corpus:
    nothing = make_corpus(SHARDS, clips.folder, [], [], synthetic=clips.facts.synthetic)
    return replace(nothing, labels=clips.facts.labels)
