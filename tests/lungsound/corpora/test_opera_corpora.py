"""The corpora of OPERA, each in the layout in which it is published."""

import numpy as np
import pytest
import soundfile
from small_corpora import SMALL

from lungsound.corpora.registry import open_corpus, read_corpus
from lungsound.errors import InputError


def labels_of(corpus):
    """Which labels each recording has."""
    rows = corpus.events.set_index("recording")[list(corpus.labels)]
    return {name: set(row.index[row == 1]) for name, row in rows.iterrows()}


def small(name, tmp_path):
    return SMALL[name](tmp_path)


def test_coughvid(tmp_path):
    small("coughvid", tmp_path)
    corpus = open_corpus("coughvid", tmp_path)
    assert labels_of(corpus) == {"aa-1": {"healthy", "male"}, "bb-2": {"COVID-19", "female"}}
    assert corpus.recordings["split"].tolist() == ["train", "test"]
    assert corpus.recordings["patient"].tolist() == ["aa-1", "bb-2"]
    assert corpus.diagnoses == {"aa-1": "healthy", "bb-2": "COVID-19"}


def test_coughvids_lists_as_numpy_writes_them_and_its_test_of_sex(tmp_path):
    table = small("coughvid", tmp_path).texts["table"]
    table.write_text(table.read_text() + "2,cc-3,0.2,other,\n3,dd-4,0.1,,symptomatic\n")
    soundfile.write(tmp_path / "wav" / "cc-3.wav", np.full(800, 0.1), 4000)
    for file in tmp_path.glob("*.txt"):
        file.unlink()
    for name, uuids in {"train": ["aa-1"], "val": ["cc-3"], "test_covid": [], "test_gender": ["bb-2"]}.items():
        np.save(tmp_path / f"{name}.npy", np.array(uuids, dtype="<U36"))
    corpus = open_corpus("coughvid", tmp_path)
    assert corpus.recordings["split"].tolist() == ["train", "test", "validation"]
    assert labels_of(corpus)["cc-3"] == set()
    assert any("convert WebM and Ogg to wav/): 1" in note for note in corpus.notes)
    np.save(tmp_path / "train.npy", np.array(["aa-1"], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match=r"train\.npy: no list of names .*; save it as text"):
        open_corpus("coughvid", tmp_path)


def test_coswara(tmp_path):
    small("coswara", tmp_path)
    (tmp_path / "Extracted_data" / "20200413" / "Cd2" / "breathing-deep.wav").write_bytes(bytes(44))
    corpus = open_corpus("coswara", tmp_path)
    assert corpus.recordings["site"].tolist() == ["cough-heavy", "cough-shallow"] * 2  # no vowels
    assert labels_of(corpus) == {
        "Ab1_cough-heavy": {"male", "smoker"},
        "Ab1_cough-shallow": {"male", "smoker"},
        "Cd2_cough-shallow": {"female", "nonsmoker"},
    }
    assert not corpus.recordings.set_index("recording").loc["Cd2_cough-heavy", "continuous"]
    assert any("files without sound, left out: 1 (Cd2_breathing-deep)" in note for note in corpus.notes)
    assert any("calls unusable, not listened to: 1 (Cd2_cough-heavy)" in note for note in corpus.notes)


def test_kauh(tmp_path):
    folder = small("kauh", tmp_path).audio.parent
    more = "EP3_Heart Failure + COPD,C,P R L,60,M", "BP4_BRON,I C,A U R,50,F", "BP5_Asthma and lung fibrosis,C,P,9,M"
    for name in more:
        soundfile.write(folder / f"{name}.wav", np.full(800, 0.1), 4000)
    corpus = open_corpus("kauh", tmp_path)
    assert dict(zip(corpus.events["patient"], labels_of(corpus).values(), strict=True)) == {
        "P1": {"asthma", "obstructive"},
        "P2": {"healthy"},
        "P3": {"heart failure", "COPD", "obstructive"},
        "P4": {"bronchitis"},
        "P5": {"asthma", "lung fibrosis", "obstructive"},
    }
    assert corpus.recordings.set_index("patient")["device"].to_dict()["P3"] == "extended"
    soundfile.write(folder / "chest.wav", np.full(800, 0.1), 4000)
    with pytest.raises(InputError, match=r"chest\.wav: not named BP1_DIAGNOSIS"):
        open_corpus("kauh", tmp_path)


def test_respiratory_tr(tmp_path):
    table = small("respiratory_tr", tmp_path).texts["table"]
    corpus = open_corpus("respiratory_tr", tmp_path)
    assert labels_of(corpus) == {"H002_L1": {"COPD3"}, "H003_R6": {"COPD0"}}
    assert corpus.recordings[["patient", "site"]].to_numpy().tolist() == [["H002", "L1"], ["H003", "R6"]]
    table.write_text("Patient ID;Diagnosis\nH002;COPD 3\nH004;COPD1\n")
    corpus = open_corpus("respiratory_tr", tmp_path)
    assert corpus.recordings["recording"].tolist() == ["H002_L1"]
    assert len(corpus.notes) == 2
    table.write_text("Patient ID,Diagnosis\nH002,COPD3\nH002,COPD9\nH003,COPD0\n")
    (fault,) = read_corpus("respiratory_tr", tmp_path).faults
    assert "row 3: the diagnosis 'COPD9' is none of COPD0" in fault


def test_icbhi_by_disease(tmp_path):
    small("icbhi2017", tmp_path)
    corpus = open_corpus("icbhi2017_disease", tmp_path)
    assert labels_of(corpus) == {"101_1b1_Al_sc_Meditron": {"URTI"}, "102_1b1_Tc_sc_Meditron": {"Healthy"}}
    assert corpus.recordings["split"].tolist() == ["train", "test"]
    assert (corpus.events["end"] == corpus.recordings["seconds"]).all()
    (tmp_path / "ICBHI_Challenge_diagnosis.txt").write_text("101\tFlu\n102\tHealthy\n")
    with pytest.raises(InputError, match="the diagnosis 'Flu' is none of COPD, Healthy"):
        open_corpus("icbhi2017_disease", tmp_path)
    (tmp_path / "ICBHI_Challenge_diagnosis.txt").unlink()
    with pytest.raises(InputError, match="no diagnoses of ICBHI 2017 here; restore"):
        open_corpus("icbhi2017_disease", tmp_path)


@pytest.mark.parametrize("name", ["coughvid", "coswara", "respiratory_tr"])
def test_another_table_is_refused(tmp_path, name):
    small(name, tmp_path).texts["table"].write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match=r"no column .*; restore the published table"):
        open_corpus(name, tmp_path)
