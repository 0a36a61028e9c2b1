"""Names of labels and the classes they make."""

from pathlib import Path

import pandas as pd
import pytest

from lungsound.corpus import make_corpus
from lungsound.errors import InputError
from lungsound.labels import SPRSOUND_EVENTS, SPRSOUND_LABELS, checked_labels, class_names, four_classes


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        ([], "name at least one"),
        (["cough", "snore", "cough"], "one of them comes twice"),
        (["cough", "Normal"], "'Normal': says what no label can"),
        (["any"], "'any': says what no label can"),
        (["logit_cough"], "'logit_cough': says what no label can"),
        ([" cough"], "spaces at its ends"),
    ],
)
def test_names_that_cannot_be_are_refused(labels, sentence):
    with pytest.raises(InputError, match=sentence):
        checked_labels(labels)


@pytest.mark.parametrize("label", ["start", "path", "event", "patient"])
def test_a_label_takes_no_columns_name(label):
    with pytest.raises(InputError, match=f"/own: {label} cannot name a label"):
        make_corpus("own", Path("/own"), [], [], labels=["cough", label])


def test_crackle_and_wheeze_make_the_four_classes_in_any_order_and_beside_others():
    table = pd.DataFrame({"wheeze": [0, 0, 1, 1], "crackle": [0, 1, 0, 1], "stridor": 1}, index=[5, 6, 7, 8])
    for labels in (("crackle", "wheeze"), ("wheeze", "crackle"), ("stridor", "wheeze", "crackle")):
        names = class_names(table, labels)
        assert names.to_dict() == {5: "normal", 6: "crackle", 7: "wheeze", 8: "both"}
    assert four_classes(("wheeze", "crackle"))
    assert not four_classes(("wheeze", "crackle", "stridor"))
    assert not four_classes(("wheeze",))


def test_other_labels_make_classes_of_their_names():
    table = pd.DataFrame({"cough": [0, 1, 0, 1], "snore": [0, 0, 1, 1]})
    assert class_names(table, ("cough", "snore")).tolist() == ["normal", "cough", "snore", "cough + snore"]
    assert class_names(table[:0], ("cough", "snore")).tolist() == []


def test_labels_of_sprsound_tell_its_seven_types_apart():
    assert set(SPRSOUND_LABELS) == {label for labels in SPRSOUND_EVENTS.values() for label in labels}
    assert len(set(SPRSOUND_EVENTS.values())) == 7
