"""SPRSound 2022 with every trap its releases hold."""

import json

import numpy as np
import pytest
import soundfile

from lungsound.corpora.registry import open_corpus
from lungsound.errors import InputError
from lungsound.windows import stream

EVENTS = [
    {"start": "2000", "end": "3500", "type": "Wheeze+Crackle"},
    {"start": "159", "end": "1523", "type": "Normal"},
]
SOUND = np.random.default_rng(0).uniform(-0.1, 0.1, 4 * 8000)
NAME = "40638274_9.7_1_p3_1708"


def load(root):
    return open_corpus("sprsound", root)


def write(place, split="train", name=NAME, values=None, year="2022", audio=".wav"):
    part = "train" if split == "train" else "test"
    sounds, annotations = place / f"{part}{year}_wav", place / f"{part}{year}_json"
    annotations = annotations if split == "train" else annotations / f"{split}_test_json"
    for folder in (sounds, annotations):
        folder.mkdir(parents=True, exist_ok=True)
    values = {"record_annotation": "CAS & DAS", "event_annotation": EVENTS} if values is None else values
    path = annotations / f"{name}.json"
    path.write_text(values if isinstance(values, str) else json.dumps(values))
    if audio:
        soundfile.write(sounds / f"{name}{audio}", SOUND, 8000)
    return path


@pytest.mark.parametrize("root", ["sprsound", "sprsound/BioCAS2022"])
def test_the_whole_corpus_has_the_published_counts(shared, root):
    corpus = load(shared / "data" / root)
    assert corpus.recordings["split"].value_counts().to_dict() == {"train": 1949, "intra": 379}
    assert corpus.recordings.loc[corpus.recordings["split"] == "train", "patient"].nunique() == 251
    assert corpus.events.loc[corpus.events["split"] == "train", "event_type"].value_counts().to_dict() == {
        "Normal": 5159, "Fine Crackle": 912, "Wheeze": 452, "Coarse Crackle": 49, "Rhonchi": 39,
        "Wheeze+Crackle": 30, "Stridor": 15,
    }  # fmt: skip
    assert (corpus.events["path"] != "").all()
    poor = corpus.recordings[corpus.recordings["record_type"] == "Poor Quality"]
    assert len(poor) == 179
    assert not corpus.events["recording"].isin(poor["recording"]).any()
    assert len(corpus.notes) == 1
    assert corpus.notes[0].endswith(": 179")


@pytest.mark.parametrize("year", ["2022", ""])
@pytest.mark.parametrize("place", [".", "BioCAS2022"])
def test_layouts_and_the_test_sets_that_share_a_folder(tmp_path, year, place):
    names = {"train": NAME, "intra": "40638274_9.7_1_p1_1696", "inter": "41203687_11.8_0_p3_2523"}
    for split, name in names.items():
        write(tmp_path / place, split, name, year=year)
    corpus = load(tmp_path)
    assert corpus.recordings.set_index("recording")["split"].to_dict() == {name: s for s, name in names.items()}
    assert (corpus.recordings["path"] != "").all()


def test_one_recording(tmp_path):
    write(tmp_path)
    corpus = load(tmp_path)
    assert corpus.recordings.iloc[0].to_dict() == {
        "recording": NAME,
        "path": str(tmp_path / "train2022_wav" / f"{NAME}.wav"),
        "seconds": 4.0,
        "sample_rate": 8000,
        "patient": "40638274",
        "site": "p3",
        "device": "Yunting II",
        "split": "train",
        "record_type": "CAS & DAS",
        "continuous": True,
        "age": 9.7,
        "sex": "F",
    }
    assert corpus.events[["start", "end", "crackle", "wheeze", "event_type", "record_type"]].to_numpy().tolist() == [
        [0.159, 1.523, 0, 0, "Normal", "CAS & DAS"],
        [2.0, 3.5, 1, 1, "Wheeze+Crackle", "CAS & DAS"],
    ]


def test_labels_of_every_type_of_event(tmp_path):
    types = ["Normal", "Fine Crackle", "Coarse Crackle", "Wheeze", "Rhonchi", "Stridor", "Wheeze+Crackle"]
    events = [{"start": 500 * i, "end": 500 * i + 400, "type": kind} for i, kind in enumerate(types)]
    write(tmp_path, values={"record_annotation": "CAS & DAS", "event_annotation": events})
    corpus = load(tmp_path)
    assert corpus.labels == ("crackle", "wheeze", "fine crackle", "coarse crackle", "rhonchi", "stridor")
    assert [[label for label in corpus.labels if row[label]] for row in corpus.events.to_dict("records")] == [
        [], ["crackle", "fine crackle"], ["crackle", "coarse crackle"], ["wheeze"], ["wheeze", "rhonchi"],
        ["wheeze", "stridor"], ["crackle", "wheeze"],
    ]  # fmt: skip


def test_spellings_of_the_description_of_the_corpus(tmp_path):
    events = [{"start": 0, "end": 800, "type": "Wheeze & Crackle"}, {"start": 900, "end": 1000.5, "type": " Rhonchi "}]
    write(tmp_path, values={"recording_annotation": "CAS  &DAS", "event_annotation": events})
    corpus = load(tmp_path)
    assert corpus.events["event_type"].tolist() == ["Wheeze+Crackle", "Rhonchi"]
    assert corpus.events["end"].tolist() == [0.8, 1.0005]
    assert corpus.recordings["record_type"].tolist() == ["CAS & DAS"]


def test_poor_quality_is_not_taken_for_normal(tmp_path):
    write(tmp_path, values={"record_annotation": "Poor Quality", "event_annotation": []})
    write(tmp_path, name="41203687_11.8_0_p3_2523", values={"record_annotation": "Normal", "event_annotation": []})
    corpus = load(tmp_path)
    assert len(corpus.recordings) == 2
    assert corpus.events.empty
    assert set(stream(corpus, 1.0, 0.5)["recording"]) == {"41203687_11.8_0_p3_2523"}


def test_annotations_without_audio_and_audio_without_annotation(tmp_path):
    write(tmp_path, audio="")
    soundfile.write(tmp_path / "train2022_wav" / "41203687_11.8_0_p3_2523.wav", SOUND, 8000)
    corpus = load(tmp_path)
    assert corpus.recordings["path"].tolist() == [""]
    assert any(f"without audio: 1 ({NAME})" in note for note in corpus.notes)
    assert any("left out: 1 (41203687_11.8_0_p3_2523)" in note for note in corpus.notes)


def test_an_event_that_ends_after_the_sound_is_clipped(tmp_path):
    write(tmp_path, values={"record_annotation": "Normal", "event_annotation": [
        {"start": "1000", "end": "4001", "type": "Normal"},
    ]})  # fmt: skip
    corpus = load(tmp_path)
    assert corpus.events["end"].tolist() == [4.0]
    assert any("clipped" in note for note in corpus.notes)


def event(**values):
    return {"record_annotation": "DAS", "event_annotation": [{**EVENTS[1], **values}]}


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ('{"record_annotation": "Normal", "event_ann', r"not readable as JSON"),
        ("", r"not readable as JSON"),
        ("[" * 100_000, r"not readable as JSON"),
        ("[]", r"not an annotation but a JSON list"),
        ({"record_annotation": "Good", "event_annotation": []}, r"the record label 'Good' is none of Normal, Poor"),
        ({"event_annotation": []}, r"the record label 'None' is none of"),
        ({"record_annotation": "Normal"}, r"no list event_annotation"),
        ({"record_annotation": "Normal", "event_annotation": [3]}, r"event 1: start, end and type"),
        (event(type="Snore"), r"event 1: the type 'Snore' is none of Normal, Fine Crackle"),
        (event(start="2000"), r"event 1: the end 1523 does not come after the start 2000"),
        (event(start="soon"), r"event 1: the start 'soon' is not a number"),
        (event(end=None), r"event 1: the end None is not a number"),
        (event(end=10**400), r"event 1: the end 10+\.\.\.0+ is not a number"),
        (event(end=True), r"event 1: the end True is not a number"),
        (event(start="-1"), r"event 1: the start -1 is negative"),
    ],
)
def test_a_damaged_annotation_is_named(tmp_path, values, sentence):
    write(tmp_path, values=values)
    with pytest.raises(InputError, match=rf"{NAME}\.json.*{sentence}"):
        load(tmp_path)


def test_a_recording_in_two_parts_is_refused(tmp_path):
    write(tmp_path, "intra")
    write(tmp_path, "inter")
    with pytest.raises(InputError, match=rf"{NAME} is in the part intra already"):
        load(tmp_path)


def test_a_recording_in_two_layouts_is_refused(tmp_path):
    write(tmp_path)
    write(tmp_path / "BioCAS2022")
    with pytest.raises(InputError, match=rf"{NAME} is in the part train already"):
        load(tmp_path)


def test_a_foreign_name_is_refused(tmp_path):
    write(tmp_path, name="recording1")
    with pytest.raises(InputError, match=r"recording1\.json: not named PATIENT_AGE_SEX_SITE_NUMBER"):
        load(tmp_path)


def test_a_text_file_named_wav_is_refused(tmp_path):
    write(tmp_path)
    (tmp_path / "train2022_wav" / f"{NAME}.wav").write_text("no sound")
    with pytest.raises(InputError, match=rf"{NAME}\.wav: not readable as audio"):
        load(tmp_path)


@pytest.mark.parametrize("folder", [".", "train2022_json"])
def test_a_folder_without_recordings_is_refused(tmp_path, folder):
    (tmp_path / "train2022_json").mkdir()
    with pytest.raises(InputError, match=r"no annotations of SPRSound 2022 here"):
        load(tmp_path / folder)


def test_later_releases_beside_2022_are_left_out_with_a_note(shared):
    corpus = load(shared / "data" / "cases" / "sprsound_2023_2025")
    assert len(corpus.recordings) == 8
    assert set(corpus.recordings["split"]) == {"train"}
    (note,) = [note for note in corpus.notes if "later releases" in note]
    assert "2023 (" in note
    assert "2024 (" in note
    assert "BioCAS2023" in note.rpartition("read one as sprsound:")[2]


def test_a_later_release_alone_is_a_test_of_other_children(shared, tmp_path):
    case = shared / "data" / "cases" / "sprsound_2023_2025"
    corpus = load(case / "BioCAS2024")
    assert corpus.recordings["recording"].tolist() == ["00016281_3.7_1_p6_11865", "_3.4_1_p4_10990"]
    assert corpus.recordings["patient"].tolist() == ["00016281", "_3.4_1_p4_10990"]
    assert set(corpus.recordings["split"]) == {"test"}
    assert set(corpus.recordings["record_type"]) == {""}
    assert corpus.recordings["continuous"].all()
    assert len(corpus.events) == 4
    for year in ("2023", "2024"):
        (tmp_path / f"BioCAS{year}").symlink_to(case / f"BioCAS{year}")
    assert len(load(tmp_path).recordings) == 3


def test_a_later_recording_without_label_and_event_is_not_taken_for_normal(tmp_path):
    (tmp_path / "test2025_json").mkdir()
    (tmp_path / "test2025_json" / "_5.3_0_p8_34877.json").write_text('{"event_annotation": []}')
    corpus = load(tmp_path)
    assert not corpus.recordings["continuous"].any()
    assert any("without label and event" in note for note in corpus.notes)
