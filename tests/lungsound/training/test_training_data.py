"""What trainings are told of their data."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from small_sprsound import small_sprsound

from lungsound.errors import InputError
from lungsound.files.record import read_values
from lungsound.training.data import DataOptions, prepare_training


def test_options_survive_json_and_those_of_before_have_crackle_and_wheeze():
    options = DataOptions(labels=("fine crackle", "stridor"))
    values = json.loads(json.dumps(asdict(options)))
    assert read_values(DataOptions, values) == options
    assert options.listening().labels == ("fine crackle", "stridor")
    del values["labels"]
    assert read_values(DataOptions, values).labels == ("crackle", "wheeze")


@pytest.mark.parametrize("labels", [(), ("cough", "cough"), ("any",)])
def test_labels_that_cannot_be_are_refused_before_anything_is_read(labels):
    with pytest.raises(InputError):
        DataOptions(data=("nowhere",), labels=labels)


def test_the_columns_of_a_part_are_the_labels_in_their_order(small_options, place):
    data = prepare_training(replace(small_options, labels=("wheeze", "crackle")), place / "cache")
    part = data.train
    assert data.listening.labels == ("wheeze", "crackle")
    np.testing.assert_array_equal(part.labels[:, 0], part.windows["wheeze"])
    np.testing.assert_array_equal(part.labels[:, 1], part.windows["crackle"])
    usual = prepare_training(small_options, place / "cache").train
    np.testing.assert_array_equal(part.labels[:, ::-1], usual.labels)


def test_a_label_that_no_window_has_is_told(small_options, place, tmp_path, capsys):
    root = small_sprsound(place / "corpus", tmp_path / "sprsound")
    for file in root.glob("train2022_json/*.json"):
        file.write_text(file.read_text().replace("Stridor", "Rhonchi"))
    options = replace(small_options, data=(f"sprsound:{root}",), labels=("stridor", "rhonchi"))
    prepare_training(options, place / "cache")
    assert "note: no window of the validation part has stridor" in capsys.readouterr().err
