"""The smallest corpus in each layout, to be damaged."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

RATE = 4000
ICBHI = "101_1b1_Al_sc_Meditron"
SPRSOUND = "40638274_9.7_1_p3_1708"


@dataclass(frozen=True)
class Small:
    """A corpus of two recordings of a second.

    Attributes
    ----------
    root : Path
        What is named on the command line.
    audio : Path
        One of its recordings.
    texts : dict
        One of each kind of its other files, by kind.
    """

    root: Path
    audio: Path
    texts: dict[str, Path]


def icbhi2017(root: Path) -> Small:
    """Write the layout of ICBHI 2017 with all of its lists."""
    folder = root / "ICBHI_final_database"
    names = [ICBHI, "102_1b1_Tc_sc_Meditron"]
    for name in names:
        _sound(folder / f"{name}.wav")
        (folder / f"{name}.txt").write_text("0.036\t0.579\t0\t0\n0.579\t0.9\t1\t1\n")
    texts = {
        "ICBHI_challenge_train_test.txt": f"{names[0]}\ttrain\r\n{names[1]}\ttest\r\n",
        "filename_differences.txt": f"'{names[0]}\n",
        "subset_manifest.csv": f"recording,origin,missing\n{names[0]},cycles:cut,2\n{names[1]},whole,\n",
        "ICBHI_Challenge_diagnosis.txt": "101\tURTI\n102\tHealthy\n",
        "demographic_info.txt": "\n101 3 F NA 19 99\n102 0.75 F NA 9.8 73\n",
    }
    for name, text in texts.items():
        (root / name).write_text(text)
    files = {name: root / name for name in texts}
    return Small(root, folder / f"{ICBHI}.wav", {"annotation": folder / f"{ICBHI}.txt", **files})


def synthetic(root: Path) -> Small:
    """Write the layout of the synthetic corpus."""
    small = icbhi2017(root)
    (root / "synthetic.json").write_text('{"generator": 1, "seed": 0, "patients": 4}\n')
    return small


def sprsound(root: Path) -> Small:
    """Write the layout of SPRSound 2022."""
    events = [{"start": "159", "end": "523", "type": "Normal"}, {"start": "600", "end": "900", "type": "Wheeze"}]
    place = root / "BioCAS2022"
    (place / "train2022_json").mkdir(parents=True)
    for name in (SPRSOUND, "41203687_11.8_0_p3_2523"):
        _sound(place / "train2022_wav" / f"{name}.wav")
        values = {"record_annotation": "CAS", "event_annotation": events}
        (place / "train2022_json" / f"{name}.json").write_text(json.dumps(values))
    audio, text = (place / f"train2022_{kind}" / f"{SPRSOUND}.{kind}" for kind in ("wav", "json"))
    return Small(root, audio, {"annotation": text})


def hls_cmds(root: Path) -> Small:
    """Write the layout of HLS-CMDS."""
    for name in ("M_N_LUA", "M_W_LMA"):
        _sound(root / "LS" / f"{name}.wav")
    table = root / "LS.csv"
    table.write_text("Gender,Lung Sound Type,Location,Lung Sound ID\nM,Normal,LUA,M_N_LUA\nM,Wheezing,LMA,M_W_LMA\n")
    return Small(root, root / "LS" / "M_N_LUA.wav", {"table": table})


def table(root: Path) -> Small:
    """Write a table of one's own."""
    for name in ("a", "b"):
        _sound(root / f"{name}.wav")
    rows = ["a.wav,0.1,0.5,1,0,p,train", "a.wav,0.5,0.9,0,1,p,train", "b.wav,,,0,0,q,test"]
    (root / "table.csv").write_text("\n".join(["path,start,end,crackle,wheeze,patient,split", *rows, ""]))
    return Small(root / "table.csv", root / "a.wav", {"table": root / "table.csv"})


def folders(root: Path) -> Small:
    """Write a folder a class."""
    for name in ("crackle", "normal"):
        _sound(root / name / "a.wav")
    return Small(root, root / "crackle" / "a.wav", {})


def audacity(root: Path) -> Small:
    """Write recordings with label tracks."""
    for name in ("a", "b"):
        _sound(root / f"{name}.wav")
        (root / f"{name}.txt").write_text("0.25\t0.5\tcrackle\n\\\t120.5\t880.25\n0.6\t0.6\tcrackle + wheeze\n")
    return Small(root, root / "a.wav", {"track": root / "a.txt"})


def coughvid(root: Path) -> Small:
    """Write the layout of CoughVID as OPERA has it: WAV files, and lists of uuids."""
    for name in ("aa-1", "bb-2"):
        _sound(root / "wav" / f"{name}.wav")
    table = root / "metadata_compiled.csv"
    table.write_text(",uuid,cough_detected,gender,status\n0,aa-1,0.99,male,healthy\n1,bb-2,0.98,female,COVID-19\n")
    (root / "train_uuids.txt").write_text("aa-1\n")
    (root / "test_uuids.txt").write_text("bb-2\n")
    return Small(root, root / "wav" / "aa-1.wav", {"table": table, "list": root / "train_uuids.txt"})


def coswara(root: Path) -> Small:
    """Write the layout of Coswara."""
    for name in ("Ab1", "Cd2"):
        for sound in ("cough-shallow", "cough-heavy", "vowel-a"):
            _sound(root / "Extracted_data" / "20200413" / name / f"{sound}.wav")
    table, quality = root / "combined_data.csv", root / "annotations" / "cough-heavy_labels_pandas.csv"
    table.write_text("id,a,covid_status,g,smoker\nAb1,30,healthy,male,y\nCd2,40,positive_mild,female,False\n")
    quality.parent.mkdir()
    quality.write_text("FILENAME, QUALITY\nAb1_cough-heavy, 2\nCd2_cough-heavy, 0\n")
    audio = root / "Extracted_data" / "20200413" / "Ab1" / "cough-shallow.wav"
    return Small(root, audio, {"table": table, "quality": quality})


def kauh(root: Path) -> Small:
    """Write the layout of KAUH."""
    names = "BP1_Asthma,I E W,P L L R,70,M", "DP2_N,N,P R M,40,F"
    for name in names:
        _sound(root / "Audio Files" / f"{name}.wav")
    return Small(root, root / "Audio Files" / f"{names[0]}.wav", {})


def respiratory_tr(root: Path) -> Small:
    """Write the layout of RespiratoryDatabase@TR."""
    for name in ("H002_L1", "H003_R6"):
        _sound(root / "RespiratoryDatabase@TR" / f"{name}.wav")
    table = root / "Labels.csv"
    table.write_text("Patient ID,Diagnosis\nH002,COPD3\nH003,COPD0\n", encoding="utf-8-sig")
    return Small(root, root / "RespiratoryDatabase@TR" / "H002_L1.wav", {"table": table})


OPERA = (coughvid, coswara, kauh, respiratory_tr)
"""Corpora of the OPERA benchmark."""

SMALL: dict[str, Callable[[Path], Small]] = {
    write.__name__: write for write in (icbhi2017, synthetic, sprsound, hls_cmds, table, folders, audacity, *OPERA)
}
"""A function for each corpus that can be read, which writes it into a folder."""


def _sound(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    seed = sum(map(ord, str(path.name + path.parent.name)))
    soundfile.write(path, np.random.default_rng(seed).uniform(-0.1, 0.1, RATE), RATE)
