"""Labels where nobody names any."""

from pathlib import Path

import pytest

from lungsound.corpora import selection
from lungsound.corpora.selection import usual_labels
from lungsound.corpus import make_corpus
from lungsound.errors import InputError

OFFERED = {
    "icbhi2017": ("crackle", "wheeze"),
    "sprsound": ("crackle", "wheeze", "stridor"),
    "night": ("snore", "cough", "wheeze"),
    "ward": ("cough", "stridor", "snore"),
}


@pytest.fixture(autouse=True)
def corpora(monkeypatch):
    made = {name: make_corpus(name, Path("/made"), [], [], labels=labels) for name, labels in OFFERED.items()}
    monkeypatch.setattr(selection, "open_corpus", lambda name, root: made[name])


@pytest.mark.parametrize(
    ("data", "labels"),
    [
        (["icbhi2017"], ("crackle", "wheeze")),
        (["sprsound", "icbhi2017"], ("crackle", "wheeze")),
        (["night"], ("snore", "cough", "wheeze")),
        (["night", "ward"], ("snore", "cough")),
        (["night", "sprsound"], ("wheeze",)),
    ],
)
def test_crackle_and_wheeze_or_all_that_corpora_share(data, labels, capsys):
    assert usual_labels([f"{name}:/made" for name in data]) == labels
    said = capsys.readouterr().err
    assert said == ("" if labels == ("crackle", "wheeze") else f"labels: {', '.join(labels)}\n")


def test_corpora_that_share_no_label_are_not_mixed():
    sentence = "share no label: icbhi2017 offers crackle, wheeze; ward offers cough, stridor, snore"
    with pytest.raises(InputError, match=sentence):
        usual_labels(["icbhi2017:/made", "ward:/made"])
