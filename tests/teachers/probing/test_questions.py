"""What is asked of whom: labels of any corpus with its own split, tasks of OPERA with theirs."""

import numpy as np
import pytest
import soundfile
from small_kauh import small_kauh

from lungsound.corpora.selection import Selection
from lungsound.errors import InputError
from teachers.probing.questions import Cut, ask_labels, ask_task

STREAM = Cut("stream", 2.0, 2.0, 0)
CLIPS = Cut("recordings", 2.0, 2.0, 0)


def parts_of(asked):
    """Recordings by part."""
    names = asked.windows["recording"].to_numpy()
    return {part: set(names[asked.question.rows(part)]) for part in ("train", "validation", "test")}


@pytest.fixture
def data(small_options):
    return small_options.data


def test_validation_judges_as_a_training_holds_it_out(data):
    asked = ask_labels(data, ("any",), STREAM, "validation", 0.34, 1)
    assert (asked.question.names, asked.question.classes) == (("any",), ("absent", "present"))
    assert (asked.part, asked.synthetic) == ("validation", True)
    selection = Selection.open(data, drop_shared=False, validation=0.34, seed=1)
    parts = parts_of(asked)
    held_out = {name for name, part in selection.splits[0].parts.items() if part == "validation"}
    trained = {name for name, part in selection.splits[0].parts.items() if part == "train"}
    assert parts["test"] == held_out
    assert parts["train"] | parts["validation"] == trained
    patients = [set(asked.question.patients[asked.question.rows(part)]) for part in parts]
    assert len(set.union(*patients)) == sum(map(len, patients))
    assert asked.split_hash == selection.hash
    assert asked.notes == ()
    with pytest.raises(InputError, match="wheeze: nothing with class present in validation; choose another --label"):
        ask_labels(data, (), STREAM, "validation", 0.34, 1)  # the usual labels


def test_labels_are_the_windows_own_and_any_is_one_of_them(data):
    asked = ask_labels(data, ("wheeze", "any"), STREAM, "test", 0.34, 1)
    both = asked.windows[["crackle", "wheeze"]].to_numpy()
    np.testing.assert_array_equal(asked.question.truth, np.stack([both[:, 1], both.max(axis=1)], axis=1))


@pytest.mark.parametrize(
    ("labels", "part", "said"),
    [
        (("crackle", "cough"), "test", "not annotated with cough; it offers crackle, wheeze"),
        (("cough", "any"), "test", "not annotated with cough"),
        ((), "intra", "nothing in part 'intra'; choose --split from test, validation"),
        ((), "train", "--split train: probes are trained there"),
    ],
)
def test_what_cannot_be_asked_is_a_sentence(data, labels, part, said):
    with pytest.raises(InputError, match=said):
        ask_labels(data, labels, STREAM, part, 0.34, 1)


def test_a_cut_that_does_not_exist():
    with pytest.raises(InputError, match="choose from recordings, cycles, stream"):
        Cut("breaths", 2.0, 2.0, 0)


def test_a_task_on_its_corpus_as_published(tmp_path):
    asked = ask_task("T10", [f"kauh:{small_kauh(tmp_path / 'AudioFiles').parent}"], CLIPS)
    assert asked.question.classes == ("healthy", "obstructive")
    odd = asked.windows["recording"].str.extract(r"P(\d+)_")[0].astype(int) % 2
    np.testing.assert_array_equal(asked.question.truth[:, 0], odd)
    sizes = {part: len(names) for part, names in parts_of(asked).items()}
    assert sizes == {"train": 25, "validation": 3, "test": 12}  # 30 % of 20 patients; 10 % of 28 recordings
    tested, others = (set(asked.question.patients[asked.question.parts == part]) for part in ("test", "train"))
    assert not tested & others
    assert asked.notes == ()


def test_patients_on_both_sides_of_a_task_are_told(tmp_path):
    folder = tmp_path / "ICBHI_final_database"
    folder.mkdir()
    lists = {"ICBHI_challenge_train_test.txt": "", "ICBHI_Challenge_diagnosis.txt": ""}
    for patient in range(101, 121):
        lists["ICBHI_Challenge_diagnosis.txt"] += f"{patient}\t{('COPD', 'Healthy')[patient % 2]}\n"
        for part in ("train", "test") if patient < 103 else ("test",) if patient > 115 else ("train",):
            name = f"{patient}_1b{len(part)}_Al_sc_Meditron"
            soundfile.write(folder / f"{name}.wav", np.full(4000, 0.1), 4000)
            (folder / f"{name}.txt").write_text("0.0\t1.0\t0\t0\n")
            lists["ICBHI_challenge_train_test.txt"] += f"{name}\t{part}\n"
    for name, text in lists.items():
        (tmp_path / name).write_text(text)
    asked = ask_task("T7", [f"icbhi2017_disease:{tmp_path}"], CLIPS)
    assert asked.split == "official"
    assert {part: len(names) for part, names in parts_of(asked).items()} == {"train": 12, "validation": 3, "test": 7}
    assert asked.notes == ("2 of the 7 patients of the test are in training, too, which flatters",)


@pytest.mark.parametrize("data", [["icbhi2017:x"], ["kauh:x", "kauh:y"]])
def test_a_task_of_another_corpus(data):
    with pytest.raises(InputError, match=r"T10 \(KAUH, obstructive\) is asked of kauh; give --data kauh:ROOT alone"):
        ask_task("T10", data, CLIPS)
