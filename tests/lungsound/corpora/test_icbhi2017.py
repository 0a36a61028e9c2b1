"""ICBHI 2017 with every trap its releases hold."""

import shutil
from pathlib import Path

import pytest
import soundfile
from icbhi_folder import SOUND, load, split_list, write

from lungsound.corpora.icbhi2017 import patients
from lungsound.corpora.icbhi2017_layout import match_names
from lungsound.errors import InputError
from lungsound.labels import class_names


def test_the_whole_corpus_has_the_published_counts(shared):
    corpus = load(shared / "data" / "icbhi2017")
    assert len(corpus.recordings) == 920
    assert (corpus.recordings["path"] != "").sum() == 263
    by_split = corpus.events.groupby(["split", class_names(corpus.events, corpus.labels)]).size().to_dict()
    published = {"train": (2063, 1215, 501, 363), "test": (1579, 649, 385, 143)}
    names = ("normal", "crackle", "wheeze", "both")
    assert by_split == {(split, name): n for split, ns in published.items() for name, n in zip(names, ns, strict=True)}
    assert corpus.recordings["split"].value_counts().to_dict() == {"train": 539, "test": 381}
    assert corpus.recordings["patient"].nunique() == 126
    assert not corpus.synthetic


def test_cycles_that_the_subset_lacks_are_annotated_but_not_heard(shared):
    corpus = load(shared / "data" / "icbhi2017")
    heard = corpus.events[corpus.events["path"] != ""]
    assert len(heard) == 2527
    here = corpus.recordings[corpus.recordings["path"] != ""]
    assert (~here["continuous"]).sum() == 127
    event = corpus.events[(corpus.events["recording"] == "218_1b1_Lr_sc_Meditron") & (corpus.events["path"] == "")]
    assert event[["start", "end"]].to_numpy().tolist() == [[40.059, 48.795]]
    sound, rate = soundfile.read(here.set_index("recording").loc["218_1b1_Lr_sc_Meditron", "path"])
    assert not sound[int(40.1 * rate) : int(48.7 * rate)].any()


def test_the_flat_folder_of_published_recordings_opens_without_a_split(shared):
    corpus = load(shared / "data" / "icbhi2017_native")
    assert len(corpus.recordings) == 10
    assert set(corpus.recordings["sample_rate"]) == {4000, 44100}
    assert set(corpus.recordings["split"]) == {""}
    assert any("ICBHI_challenge_train_test.txt" in note for note in corpus.notes)
    assert (corpus.events["path"] != "").all()


@pytest.mark.parametrize("audio", [".wav", ".flac", ".WAV", ".aiff"])
@pytest.mark.parametrize("folder", [".", "ICBHI_final_database", "audio_and_txt_files"])
def test_layouts_and_containers(tmp_path, audio, folder):
    write(tmp_path, ["101_1b1_Al_sc_Meditron"], audio=audio, folder=folder)
    (tmp_path / folder / "filename_format.txt").write_text("not an annotation")
    corpus = load(tmp_path)
    row = corpus.recordings.iloc[0]
    assert (row["patient"], row["site"], row["device"]) == ("101", "Al", "Meditron")
    assert (row["seconds"], row["sample_rate"]) == (5.0, 4000)
    assert row["path"].endswith(f"101_1b1_Al_sc_Meditron{audio}")
    assert corpus.events[["crackle", "wheeze"]].to_numpy().tolist() == [[0, 0], [1, 0], [1, 1]]


def test_a_split_name_without_a_recording_is_noted_and_takes_nobodys_place(tmp_path):
    write(tmp_path, ["226_1b1_Pl_sc_LittC2SE"])
    split_list(tmp_path, ["226_1b1_Pl_sc_Meditron\ttest", "226_1b1_Pl_sc_LittC2SE\ttrain"])
    corpus = load(tmp_path)
    assert corpus.recordings["split"].tolist() == ["train"]
    assert any("without a recording: 1 (226_1b1_Pl_sc_Meditron)" in note for note in corpus.notes)


def test_a_list_that_names_the_other_device_alone_still_finds_the_recording(tmp_path):
    write(tmp_path, ["226_1b1_Pl_sc_LittC2SE"])
    split_list(tmp_path, ["226_1b1_Pl_sc_Meditron\ttrain"])
    row = load(tmp_path).recordings.iloc[0]
    assert (row["split"], row["device"]) == ("train", "LittC2SE")


def test_an_unrenamed_release_has_the_same_splits_and_devices(shared, tmp_path):
    source = shared / "data" / "icbhi2017"
    for name in ("ICBHI_challenge_train_test.txt", "filename_differences.txt"):
        shutil.copy(source / name, tmp_path)
    with (tmp_path / "ICBHI_challenge_train_test.txt").open("ab") as file:  # the list of 921 lines
        file.write(b"226_1b1_Pl_sc_LittC2SE\ttrain\r\n")
    first = [line.strip().strip("'") for line in (tmp_path / "filename_differences.txt").read_text().splitlines()]
    first_names = {name.rpartition("_")[0]: name for name in first}
    database = tmp_path / "ICBHI_final_database"
    database.mkdir()
    for path in (source / "ICBHI_final_database").glob("*.txt"):
        shutil.copy(path, database / f"{first_names.get(path.stem.rpartition('_')[0], path.stem)}.txt")

    here, now = load(tmp_path), load(source)
    assert len(set(here.recordings["recording"]) - set(now.recordings["recording"])) == len(first)
    keys = [corpus.recordings["recording"].str.rpartition("_")[0] for corpus in (here, now)]
    tables = [c.recordings.set_index(k)[["split", "device"]] for c, k in zip((here, now), keys, strict=True)]
    assert tables[0].sort_index().equals(tables[1].sort_index())


def test_audio_of_another_release_than_the_annotations(tmp_path):
    database = write(tmp_path, ["101_1b1_Al_sc_AKGC417L"])
    (database / "101_1b1_Al_sc_AKGC417L.wav").rename(database / "101_1b1_Al_sc_Meditron.wav")
    assert load(tmp_path).recordings["path"].iloc[0].endswith("Meditron.wav")


def test_names_that_differ_in_the_device_alone_are_not_guessed():
    with pytest.raises(InputError, match=r"list.txt: 1_1b1_Al_sc_A and 1_1b1_Al_sc_B differ in the device alone"):
        match_names(["1_1b1_Al_sc_A", "1_1b1_Al_sc_B"], ["1_1b1_Al_sc_C"], Path("list.txt"))


def test_recordings_without_audio_and_audio_without_annotation(tmp_path):
    database = write(tmp_path, ["101_1b1_Al_sc_Meditron"], audio="")
    soundfile.write(database / "102_1b1_Al_sc_Meditron.wav", SOUND, 4000)
    corpus = load(tmp_path)
    assert corpus.recordings["path"].tolist() == [""]
    assert corpus.events["path"].tolist() == [""] * 3
    assert any("left out: 1 (102_1b1_Al_sc_Meditron)" in note for note in corpus.notes)


def test_one_stem_in_two_containers_is_refused(tmp_path):
    database = write(tmp_path, ["101_1b1_Al_sc_Meditron"])
    soundfile.write(database / "101_1b1_Al_sc_Meditron.flac", SOUND, 4000)
    with pytest.raises(InputError, match=r"Meditron\.wav: the same recording as .*flac"):
        load(tmp_path)


def test_cycles_beyond_the_end_are_clipped_or_not_heard(tmp_path):
    write(tmp_path, ["101_1b1_Al_sc_Meditron"], cycles="0\t2\t0\t0\n2\t5.02\t0\t1\n5.02\t6\t1\t0\n")
    corpus = load(tmp_path)
    assert corpus.events["end"].tolist() == [2.0, 5.0, 6.0]
    assert (corpus.events["path"] != "").tolist() == [True, True, False]
    assert any("clipped" in note and "0.020 s" in note for note in corpus.notes)
    assert any("begin where their recording ends" in note for note in corpus.notes)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("1.0\t0.5\t0\t0", r"line 2: the end 0\.5 does not come after the start 1\.0"),
        ("1.0\t1.0\t0\t0", r"line 2: the end 1\.0 does not come after"),
        ("0.5\t1.0\t0", r"line 2: 3 columns instead of 4"),
        ("0.5\t1.0\t0\t0\t0", r"line 2: 5 columns instead of 4"),
        ("zero\t1.0\t0\t0", r"line 2: the start 'zero' is not a number"),
        ("0.5\tnan\t0\t0", r"line 2: the end 'nan' is not a number"),
        ("0.5\tinf\t0\t0", r"line 2: the end 'inf' is not a number"),
        ("-0.5\t1.0\t0\t0", r"line 2: the start -0\.5 is negative"),
        ("0.5\t1.0\t2\t0", r"line 2: the labels 2 and 0 must be 0 or 1"),
    ],
)
def test_a_damaged_line_is_named(tmp_path, line, sentence):
    write(tmp_path, ["101_1b1_Al_sc_Meditron"], cycles=f"0\t0.5\t0\t0\n{line}\n")
    with pytest.raises(InputError, match=r"101_1b1_Al_sc_Meditron\.txt, " + sentence):
        load(tmp_path)


def test_an_annotation_without_a_line_is_damaged_too(tmp_path):
    write(tmp_path, ["101_1b1_Al_sc_Meditron"], cycles="\n")
    with pytest.raises(InputError, match=r"Meditron\.txt: holds no cycle"):
        load(tmp_path)


@pytest.mark.parametrize("content", [b"this is no sound", b"", b"\x00" * 100, b"RIFF"])
def test_a_file_that_is_no_audio_is_named(tmp_path, content):
    database = write(tmp_path, ["101_1b1_Al_sc_Meditron"])
    (database / "101_1b1_Al_sc_Meditron.wav").write_bytes(content)
    with pytest.raises(InputError, match=r"101_1b1_Al_sc_Meditron\.wav: not readable as audio"):
        load(tmp_path)


def test_an_annotation_that_is_no_text_is_named(tmp_path):
    database = write(tmp_path, ["101_1b1_Al_sc_Meditron"])
    (database / "101_1b1_Al_sc_Meditron.txt").write_bytes(b"\xfe\x00\x01")
    with pytest.raises(InputError, match=r"Meditron\.txt: not a text file"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (["101_1b1_Al_sc_Meditron\tvalid"], r"line 1: the split 'valid' is neither train nor test"),
        (["101_1b1_Al_sc_Meditron"], r"line 1: 1 columns instead of 2"),
        (["101_1b1_Al_sc_Meditron\ttest", "101_1b1_Al_sc_Meditron\ttrain"], r"line 2: .* is in both parts"),
    ],
)
def test_a_damaged_split_list_is_named(tmp_path, lines, sentence):
    write(tmp_path, ["101_1b1_Al_sc_Meditron"])
    split_list(tmp_path, lines)
    with pytest.raises(InputError, match=sentence):
        load(tmp_path)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("recording,missing\na,1\n", "origin and missing are not all there"),
        ("", "are not all there"),
        ("recording,origin,missing\n101_1b1_Al_sc_Meditron,cycles,9\n", "has no cycle 9 of 3"),
    ],
)
def test_a_damaged_subset_manifest_is_named(tmp_path, text, sentence):
    write(tmp_path, ["101_1b1_Al_sc_Meditron"])
    (tmp_path / "subset_manifest.csv").write_text(text)
    with pytest.raises(InputError, match=sentence):
        load(tmp_path)


def test_a_folder_without_recordings_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"no annotations of ICBHI 2017"):
        load(tmp_path)


def test_diagnoses_of_all_patients(shared):
    table = patients(shared / "data" / "icbhi2017")
    assert len(table) == 126
    assert table["diagnosis"].value_counts().to_dict() == {
        "COPD": 64, "Healthy": 26, "URTI": 14, "Bronchiectasis": 7,
        "Pneumonia": 6, "Bronchiolitis": 6, "LRTI": 2, "Asthma": 1,
    }  # fmt: skip
    first = table.iloc[0]
    assert first[["patient", "age", "sex", "adult_bmi", "child_weight_kg", "child_height_cm"]].tolist() == [
        "101", "3", "F", "", "19", "99",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("names", "diagnoses"),
    [
        (("ICBHI_Challenge_diagnosis.txt", "ICBHI_Challenge_demographic_information.txt"), "101\tURTI\n"),
        (("patient_diagnosis.csv", "demographic_info.txt"), "ID,CLASS\n101,URTI\n"),
    ],
)
def test_both_published_forms_of_diagnoses(tmp_path, names, diagnoses):
    write(tmp_path, ["101_1b1_Al_sc_Meditron"])
    (tmp_path / names[0]).write_text(diagnoses)
    (tmp_path / names[1]).write_text("\n101 3 F NA 19 99\n102 70 M 33 NA NA\n")
    assert patients(tmp_path).to_numpy().tolist() == [
        ["101", "URTI", "3", "F", "", "19", "99"],
        ["102", "", "70", "M", "33", "", ""],
    ]
    (tmp_path / names[1]).write_text("101 3 F\n")
    with pytest.raises(InputError, match=r"line 1: 3 columns instead of 6"):
        patients(tmp_path)
