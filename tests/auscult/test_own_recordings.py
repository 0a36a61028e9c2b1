"""Thirty real recordings with labels of one's own, in each form a user may have them: from check to firmware."""

import csv
import json
import shutil

import pytest
from make_folder import made

from lungsound.corpora.registry import open_corpus

LABELS = ("coarse", "fine", "snore", "whistle")
NAMES = {
    "Normal": (),
    "Fine Crackle": ("fine",),
    "Coarse Crackle": ("coarse",),
    "Wheeze": ("whistle",),
    "Wheeze+Crackle": ("coarse", "whistle"),
    "Rhonchi": ("snore",),
    "Stridor": ("snore",),
}
"""SPRSound's events under other names."""


@pytest.fixture(scope="module")
def recordings(shared):
    """Thirty recordings: file, child, and events as (start, end, labels); six with each rare sound, then others."""
    corpus = open_corpus("sprsound", shared / "data" / "sprsound")
    events = corpus.events[corpus.events["split"] == "train"]
    chosen = dict[str, None]()
    for kind in ("Coarse Crackle", "Rhonchi", "Stridor", "Wheeze", "Fine Crackle", "Normal"):
        one_a_child = events[events["event_type"] == kind].drop_duplicates("patient")["recording"]
        chosen |= dict.fromkeys(
            [name for name in one_a_child if name not in chosen][: 30 - len(chosen) if kind == "Normal" else 5]
        )
    assert len(chosen) == 30
    return [
        (rows["path"].iloc[0], rows["patient"].iloc[0],
         [(row.start, row.end, NAMES[row.event_type]) for row in rows.itertuples()])
        for _, rows in events[events["recording"].isin(chosen)].groupby("recording")
    ]  # fmt: skip


def as_table(recordings, root):
    with (root / "table.csv").open("w", newline="") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(["path", "start", "end", *LABELS, "patient", "device", "remark"])
        for number, (path, patient, events) in enumerate(recordings):
            shutil.copy(path, root / f"{number:02d}.flac")
            for start, end, names in events:
                times = [f"{start:.3f}".replace(".", ","), f"{end:.3f}".replace(".", ",")]
                carried = [int(label in names) for label in LABELS]
                writer.writerow([f"{number:02d}.flac", *times, *carried, patient, "Yunting II", "as heard"])
    return f"table:{root / 'table.csv'}"


def as_folders(recordings, root):
    for number, (path, _, events) in enumerate(recordings):
        names = sorted({name for *_, labels in events for name in labels})
        folder = root / ("+".join(names) or "normal")
        folder.mkdir(exist_ok=True)
        shutil.copy(path, folder / f"{number:02d}.flac")
    return f"folders:{root}"


def as_audacity(recordings, root):
    for number, (path, _, events) in enumerate(recordings):
        shutil.copy(path, root / f"{number:02d}.flac")
        lines = [f"{start:.6f}\t{end:.6f}\t{'+'.join(names) or 'normal'}\n" for start, end, names in events]
        (root / f"{number:02d}.txt").write_text("".join(lines))
    return f"audacity:{root}"


@pytest.mark.slow
@pytest.mark.parametrize("form", [as_table, as_folders, as_audacity])
def test_from_recordings_to_firmware(auscult, recordings, tmp_path, form):
    def answer(*words):
        code, said, complaint = auscult(*words, "--json")
        assert code == 0, complaint
        return json.loads(said), complaint

    (tmp_path / "own").mkdir()
    data = form(recordings, tmp_path / "own")
    report, _ = answer("data", "check", data)
    assert report["problems"] == []
    assert (report["recordings"], tuple(report["labels"])) == (30, LABELS)
    assert all(report["labels"].values())
    if form is not as_folders:
        assert report["events"] == sum(len(events) for *_, events in recordings)
    known = form is as_table
    assert any("no patient" in sentence for sentence in report["missing"]) is not known
    assert any("no split" in sentence for sentence in report["missing"])

    labels = [word for label in LABELS for word in ("--label", label)]
    run, said = answer(
        "distill", "--data", data, *labels, "--teacher", "none", "--width", "0.0625", "--seconds", "2", "--hop", "1",
        "--protocol", "stream", "--epochs", "2", "--runs", tmp_path / "runs",
    )  # fmt: skip
    assert "drawn for the test" in said
    assert ("no patient" in said) is not known
    stored = json.loads((tmp_path / run["run"] / "run.json").read_text())
    assert stored["split"]["name"] == "drawn"
    assert stored["listening"]["labels"] == list(LABELS)

    bundle, _ = answer("export", run["run"], "--int8", "tflite", "--output", tmp_path / "bundle")
    counts = []
    for target in (run["run"], bundle["bundle"]):
        found, _ = answer("evaluate", target, "--data", data, "--protocol", "stream")
        counts.append(found["stream"]["windows"]["n"])
        assert set(LABELS) <= found["stream"]["windows"]["auroc"].keys()
    assert counts[0] == counts[1] > 0
    code, _, complaint = auscult("evaluate", run["run"], "--data", data, "--split", "all")
    assert (code, "was trained on these recordings" in complaint) == (1, True)

    answer("firmware", bundle["bundle"], "--target", "host", "--output", tmp_path / "firmware")
    header = (tmp_path / "firmware" / "auscult_config.h").read_text()
    assert all(f"AUSCULT_LABEL_{label.upper()} = {place}" in header for place, label in enumerate(LABELS))
    told = made(tmp_path / "firmware")
    assert (told["differing_bytes"], told["listener_differing_bytes"]) == (0, 0)
