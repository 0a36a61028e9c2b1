"""Recordings that nobody annotated: any folder of audio, to pre-train on or as background noise."""

from dataclasses import replace
from pathlib import Path

from lungsound.corpora.formats.audio_files import audio_below, own_recording
from lungsound.corpora.registry import register
from lungsound.corpus import Corpus, make_corpus
from lungsound.errors import InputError, gathered


@register(
    "audio",
    what="recordings without annotations, for pre-training and as background noise",
    layout="Audio files anywhere below ROOT.",
    terms="the owner's",
    paper="none",
)
def load(root: Path) -> Corpus:
    """Read the audio files below a folder.

    Nothing is known of them: they have no events, ``patient`` is the recording, and all belong to the training part.

    Parameters
    ----------
    root : Path
        The folder.

    Raises
    ------
    InputError
        If there is no audio in it.
    """
    faults, recordings = list[str](), list[dict[str, object]]()
    for path in audio_below(root, faults):
        with gathered(faults):
            recordings.append(own_recording(root, path, "train") | {"continuous": False})
    if not (recordings or faults):
        raise InputError(f"{root}: holds no audio; name a folder of recordings")
    return replace(make_corpus("audio", root.resolve(), recordings, []), faults=tuple(faults))
