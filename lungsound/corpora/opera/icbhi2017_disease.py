"""ICBHI 2017 by disease: the same recordings, labelled with the diagnosis of their patient."""

from dataclasses import replace
from pathlib import Path

from lungsound.corpora import icbhi2017
from lungsound.corpora.registry import register
from lungsound.corpus import Corpus, make_corpus
from lungsound.errors import InputError

LABELS = ("COPD", "Healthy", "URTI", "Bronchiectasis", "Pneumonia", "Bronchiolitis", "LRTI", "Asthma")


@register(
    "icbhi2017_disease",
    what="ICBHI 2017 by disease: each recording has the diagnosis of its patient",
    layout="As icbhi2017, with ICBHI_Challenge_diagnosis.txt or patient_diagnosis.csv.",
    terms="free for research (bhichallenge.med.auth.gr); cite the paper",
    paper="Rocha et al., An open access database for the evaluation of respiratory sound classification algorithms, "
    "Physiological Measurement 40(3):035001, 2019",
)
def load(root: Path) -> Corpus:
    """Read the corpus with one event a recording; see :func:`lungsound.corpora.icbhi2017.load`.

    Sound between the cycles of recordings that were pieced together is silence and is heard as such.

    Parameters
    ----------
    root : Path
        Folder of the corpus.

    Raises
    ------
    InputError
        If there are no annotations, or nobody has a diagnosis.
    """
    cycles = icbhi2017.load(root)
    diagnoses = {patient: diagnosis for patient, diagnosis in cycles.diagnoses.items() if diagnosis}
    if not (diagnoses or cycles.faults):
        raise InputError(f"{root}: no diagnoses of ICBHI 2017 here; restore ICBHI_Challenge_diagnosis.txt beside it")
    others = sorted({*diagnoses.values()} - {*LABELS})
    faults = [f"{root}: the diagnosis {name!r:.80} is none of {', '.join(LABELS)}; restore the list" for name in others]
    rows = cycles.recordings.assign(continuous=True).to_dict("records")
    heard = [row for row in rows if row["path"]]
    events = [
        {"recording": row["recording"], "start": 0.0, "end": row["seconds"]}
        | {label: int(diagnoses.get(str(row["patient"])) == label) for label in LABELS}
        for row in heard
    ]
    name, synthetic = "icbhi2017_disease", cycles.synthetic
    recordings: list[dict[str, object]] = [{str(key): value for key, value in row.items()} for row in rows]
    corpus = make_corpus(name, root.resolve(), recordings, events, cycles.notes, labels=LABELS, synthetic=synthetic)
    return replace(corpus, faults=(*cycles.faults, *faults), diagnoses=diagnoses)
