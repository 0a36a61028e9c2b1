"""A small synthetic corpus in the layout of SPRSound 2022, with all of its types of events."""

import json
import shutil
from pathlib import Path

from lungsound.corpora.icbhi2017 import load

CRACKLES = ("Fine Crackle", "Coarse Crackle")
WHEEZES = ("Wheeze", "Rhonchi", "Stridor")


def small_sprsound(source: Path, root: Path) -> Path:
    """Write a corpus in the ICBHI layout as SPRSound's; its test recordings are of other children."""
    corpus = load(source)
    for number, row in enumerate(corpus.recordings.itertuples()):
        name = f"{row.patient}_5.0_0_p{number % 4 + 1}_{number}"
        part, test = ("train2022", "") if row.split == "train" else ("test2022", "inter_test_json")
        annotations, sounds = root / f"{part}_json" / test, root / f"{part}_wav"
        for folder in (annotations, sounds):
            folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(row.path, sounds / f"{name}.wav")
        events = corpus.events[corpus.events["recording"] == row.recording]
        values = {
            "record_annotation": _record(bool(events["wheeze"].any()), bool(events["crackle"].any())),
            "event_annotation": [
                {"start": f"{1000 * event.start:.0f}", "end": f"{1000 * event.end:.0f}", "type": _type(event, place)}
                for place, event in enumerate(events.itertuples(), number)
            ],
        }
        (annotations / f"{name}.json").write_text(json.dumps(values))
    return root


def _record(continuous: bool, discontinuous: bool) -> str:
    return " & ".join(["CAS"] * continuous + ["DAS"] * discontinuous) or "Normal"


def _type(event, place: int) -> str:
    if event.crackle and event.wheeze:
        return "Wheeze+Crackle"
    if event.crackle:
        return CRACKLES[place % 2]
    return WHEEZES[place % 3] if event.wheeze else "Normal"
