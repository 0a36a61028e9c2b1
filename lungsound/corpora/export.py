"""Any corpus as a table that reads back as the same recordings, events and split."""

import os
from pathlib import Path

import numpy as np
import pandas as pd

from lungsound.corpora.formats.table_file import write_table
from lungsound.corpora.splits import unknown_patients
from lungsound.corpus import Corpus

_OPTIONAL = (
    *("site", "device", "age", "sex", "split", "quality", "record_type", "event_type", "diagnosis", "synthetic"),
)


def export_table(corpus: Corpus, file: Path) -> pd.DataFrame:
    """Write a corpus for the reader ``table``.

    Parameters
    ----------
    corpus : Corpus
        Read from disk.
    file : Path
        ``.csv`` or ``.parquet``. Paths are written relative to it.

    Returns
    -------
    DataFrame
        What was written: a row an event, and one for each recording that no event names the audio of. Columns that
        would be empty throughout are left out.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    recordings, labels = corpus.recordings, list(corpus.labels)
    known = recordings[["recording", "site", "device", "age", "sex", "split", "record_type"]].assign(
        patient=recordings["patient"].mask(unknown_patients(recordings), ""),
        diagnosis=[corpus.diagnoses.get(patient, "") for patient in recordings["patient"]],
        quality=_quality(recordings),
        synthetic=int(corpus.synthetic),
    )
    events = corpus.events[["recording", "path", "start", "end", *labels, "event_type"]]
    audio = recordings.set_index("recording")["path"]
    named = events.loc[events["path"] == events["recording"].map(audio), "recording"]
    others = recordings.loc[~recordings["recording"].isin(named), ["recording", "path"]].assign(event_type="")
    rows = pd.concat([events, others], ignore_index=True).merge(known, on="recording", validate="many_to_one")
    rows[labels] = rows[labels].astype("Int64")  # whole numbers, and nothing where there is no event
    base = file.absolute().parent
    rows["path"] = [Path(os.path.relpath(path, base)).as_posix() if path else "" for path in rows["path"]]
    told = [column for column in _OPTIONAL if rows[column].astype(str).replace({"0": "", "nan": ""}).any()]
    table = rows[["path", "recording", "start", "end", *labels, "patient", *told]]
    table = table.sort_values(["recording", "start", "end"], ignore_index=True, kind="stable")
    write_table(table, file)
    return table


def _quality(recordings: pd.DataFrame) -> np.ndarray[tuple[int], np.dtype[np.object_]]:
    """Return why sound without an event is not normal, where it is not."""
    poor = recordings["record_type"].str.contains("poor", case=False)
    return np.where(recordings["continuous"].astype(bool), "", np.where(poor, "poor", "partial")).astype(object)
