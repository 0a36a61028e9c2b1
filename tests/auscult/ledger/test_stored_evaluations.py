"""Evaluations come back from disk as they were, changed ones are noticed, and every reading leaves a line."""

import json
import sys

import numpy as np
import pandas as pd
import pytest

from auscult.ledger.evaluation import Evaluation
from auscult.ledger.readings import READINGS_FILE, readings, record_reading
from auscult.ledger.stored import read_evaluation, read_ledger, store_evaluation
from lungsound.errors import InputError
from lungsound.files.plain_json import dumps, loads
from lungsound.scores.evaluation import TRAINED, predictions_table
from lungsound.scores.no_sound import NoSound

LABELS = ("crackle", "wheeze")
PATHS = pd.Series(['a \udcff,"b".wav'] * 24, dtype=object)


def made(protocol="cycles"):
    rng = np.random.default_rng(0)
    rows = 24
    table = pd.DataFrame(
        {
            "corpus": "made", "recording": [f"00{i // 4}" for i in range(rows)], "path": PATHS,
            "start": rng.uniform(0, 3, rows), "end": 4 + rng.uniform(0, 3, rows), "protocol": protocol,
            "patient": [f"0{i // 8}" for i in range(rows)], "site": "", "device": "d", "split": "test", "event": 0,
            "event_type": "", "record_type": "", "age": np.where(rng.random(rows) < 0.5, np.nan, 3.25), "sex": "F",
            "crackle": rng.integers(0, 2, rows), "wheeze": rng.integers(0, 2, rows), TRAINED: rng.integers(0, 2, rows),
        }
    )  # fmt: skip
    logits = rng.normal(size=(rows, 2)) / 3
    predictions = predictions_table(table, logits, (logits > 0.1).astype(int), LABELS)
    events = table[["corpus", "recording", "start", "end", *LABELS]]
    stream = protocol == "stream"
    return Evaluation(
        "student, float", "made", "test", protocol, True, LABELS, (0.1, 0.1), predictions, events if stream else None,
        None if stream else NoSound.fit(table, LABELS), 1 / 3,
    )  # fmt: skip


@pytest.mark.parametrize("protocol", ["cycles", "stream"])
def test_an_evaluation_comes_back_to_the_last_bit(tmp_path, protocol):
    evaluation = made(protocol)
    file = store_evaluation(evaluation, tmp_path)
    again = read_evaluation(file)
    pd.testing.assert_frame_equal(again.predictions, evaluation.predictions, check_exact=True, check_dtype=False)
    assert loads(dumps(again.scores)) == read_ledger(file)["scores"]
    assert again.no_sound == evaluation.no_sound
    assert (again.labels, again.thresholds, again.temperature) == (LABELS, (0.1, 0.1), 1 / 3)


@pytest.mark.parametrize("suffix", [".csv", ".json", "-events.csv"])
def test_a_changed_file_is_noticed(tmp_path, suffix):
    file = store_evaluation(made("stream"), tmp_path)
    victim = file.with_name(f"{file.stem}{suffix}")
    content = bytearray(victim.read_bytes())
    place = next(i for i in range(len(content) - 20, 0, -1) if chr(content[i]).isdigit())
    content[place] = ord("0") + (content[place] - ord("0") + 1) % 10
    victim.write_bytes(content)
    with pytest.raises(InputError, match=f"{victim.name}: .*; evaluate again or restore the file"):
        read_evaluation(file)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda values: values.update(format=99), "format 99"),
        (lambda values: values.update(labels="crackle"), "'labels' must be list"),
        (lambda values: values.update(thresholds=[0.0]), "1 thresholds for 2 labels"),
        (lambda values: values.pop("scores"), "lacks 'scores'"),
        (lambda values: values["no_sound"].update(slopes=[1.0]), "no_sound is not of 2 labels"),
        (lambda values: values.update(temperature="hot"), "'temperature' must be float"),
    ],
)
def test_a_ledger_that_is_none_is_refused(tmp_path, change, sentence):
    file = store_evaluation(made(), tmp_path)
    values = loads(file.read_text())
    del values["sha256"]
    change(values)
    file.write_text(dumps(values))
    with pytest.raises(InputError, match=sentence):
        read_evaluation(file)


def test_every_reading_leaves_a_line(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/somewhere/auscult", "evaluate", "a run"])
    (tmp_path / "run.json").touch()
    assert [record_reading(tmp_path, one) for one in (made(), made("stream"), made())] == [1, 1, 2]
    lines = readings(tmp_path / READINGS_FILE)
    assert [line["protocol"] for line in lines] == ["cycles", "stream", "cycles"]
    assert lines[0]["command"] == "auscult evaluate 'a run'"
    assert lines[0]["predictions_sha256"] == lines[2]["predictions_sha256"] != lines[1]["predictions_sha256"]
    with (tmp_path / READINGS_FILE).open("a") as file:
        file.write("no line\n")
    with pytest.raises(InputError, match="line 4: not JSON"):
        readings(tmp_path / READINGS_FILE)


def test_what_is_recorded_is_what_is_stored(tmp_path):
    evaluation = made()
    record_reading(tmp_path / "bundle", evaluation)
    file = store_evaluation(evaluation, tmp_path / "bundle-evaluation")
    (line,) = readings(tmp_path / "bundle-evaluation" / READINGS_FILE)
    assert line["predictions_sha256"] == read_ledger(file)["files"][file.with_suffix(".csv").name]
    json.dumps(line)


def test_a_reading_that_cannot_be_recorded_is_refused(unprivileged):
    folder = unprivileged / "run"
    folder.mkdir()
    (folder / "run.json").touch()
    folder.chmod(0o500)
    with pytest.raises(InputError, match=r"the reading of made test cannot be recorded \(Permission denied\)"):
        record_reading(folder, made())
