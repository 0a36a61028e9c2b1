"""ICBHI 2017 as people have it unpacked, and all that can be wrong with it at once."""

import pytest
import soundfile
from icbhi_folder import SOUND, load, split_list, write

from lungsound.corpora.registry import read_corpus
from lungsound.errors import InputError

NAMES = ["101_1b1_Al_sc_Meditron", "102_1b1_Al_sc_Meditron"]


@pytest.mark.parametrize(
    ("folder", "place", "split", "opened"),
    [
        ("audio_test_data", ".", "official_split.txt", "."),
        ("audio_test_data", ".", "official_split.txt", "audio_test_data"),
        ("icbhi_dataset/audio_test_data", "icbhi_dataset", "official_split.txt", "."),
        ("ICBHI_final_database", ".", "ICBHI_challenge_train_test.txt", "ICBHI_final_database"),
        ("ICBHI_final_database/ICBHI_final_database", ".", "ICBHI_challenge_train_test.txt", "."),
        ("R_S_D/R_S_D/audio_and_txt_files", "R_S_D/R_S_D", "ICBHI_challenge_train_test.txt", "."),
        ("R_S_D/R_S_D/audio_and_txt_files", "R_S_D/R_S_D/audio_and_txt_files", "official_split.txt", "R_S_D"),
    ],
)
def test_layouts_that_people_have(tmp_path, folder, place, split, opened):
    write(tmp_path, NAMES, folder=folder)
    (tmp_path / place / split).write_text(f"{NAMES[0]}\ttrain\n{NAMES[1]}\ttest\n")
    corpus = load(tmp_path / opened)
    assert corpus.recordings[["recording", "split"]].to_numpy().tolist() == [[NAMES[0], "train"], [NAMES[1], "test"]]
    assert (corpus.recordings["path"] != "").all()


def test_copies_of_the_annotations_are_noted_and_others_are_not_chosen_from(tmp_path):
    for folder in ("Sound/audio_and_txt_files", "sound/audio_and_txt_files"):
        write(tmp_path, NAMES, folder=folder)
    assert any(note.startswith("copies of the annotations, left out") for note in load(tmp_path).notes)
    write(tmp_path, ["103_1b1_Al_sc_Meditron"], folder="sound/audio_and_txt_files")
    with pytest.raises(InputError, match=r"annotations in both .* which differ; name one of them"):
        load(tmp_path)


def test_every_fault_of_every_list_is_found_in_one_reading(tmp_path):
    database = write(tmp_path, NAMES)
    soundfile.write(database / f"{NAMES[0]}.flac", SOUND, 4000)
    (database / f"{NAMES[1]}.txt").write_text("0\t1\t0\t0\n0\t1\t1\t0\n")
    split_list(tmp_path, [f"{NAMES[0]}\tvalid", "nothing"])
    (tmp_path / "patient_diagnosis.csv").write_text("101,URTI\n101,COPD\n")
    (tmp_path / "subset_manifest.csv").write_text("a,b\n")
    faults = read_corpus("icbhi2017", tmp_path).faults
    parts = ["keep one of the two", "neither train nor test", "1 columns instead of 2", "are not all there",
             "at the times of a cycle above", "says otherwise of patient 101"]  # fmt: skip
    assert [sum(part in fault for fault in faults) for part in parts] == [3, 1, 1, 1, 1, 1]
    assert len(faults) == 6
