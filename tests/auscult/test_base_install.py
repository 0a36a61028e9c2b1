"""Without the packages of training: what works there works, the rest names what to install; and help waits for none."""

import json
import shutil
import subprocess
import sys
import tomllib
from contextlib import ExitStack
from pathlib import Path
from subprocess import PIPE

import numpy as np
import pytest
import soundfile

from auscult.cli import CONTENTS, load
from auscult.ledger.stored import predictions_folder

SERVER = """
import atexit, gc, json, os, sys
from importlib import import_module
from importlib.machinery import PathFinder

find = PathFinder.find_spec
PathFinder.find_spec = lambda name, *rest: None if name.split(".")[0] in {forbidden} else find(name, *rest)
for name in {loaded}:
    import_module(name)
gc.freeze()
for line in sys.stdin:
    job = json.loads(line)
    child = os.fork()
    if not child:
        os.chdir(job["folder"])
        for number, name in enumerate((os.devnull, job["stdout"], job["stderr"])):
            os.dup2(os.open(name, os.O_RDWR | os.O_CREAT), number)
        sys.argv = ["auscult", *job["words"]]
        code = 0
        try:
            import_module(job["module"]).main()
        except SystemExit as ended:
            code = ended.code or 0
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)  # taking everything down takes longer than most commands
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
TRAINING_PACKAGES = {
    "torch", "torchaudio", "torchvision", "timm", "lightning", "matplotlib", "onnx", "onnxruntime", "onnxscript",
    "nncf", "ai_edge_quantizer", "safetensors", "pooch", "torchmetrics",
}  # fmt: skip
SLOW_PACKAGES = TRAINING_PACKAGES | {"pandas", "sklearn", "scipy", "ai_edge_litert"}
EVERY = [
    "auscult.cli", "typer.rich_utils", "typer._adapters", "rich.markdown", "rich.progress",
    *(module for module, _, _ in CONTENTS.values()),
]  # fmt: skip
"""What nearly every command loads, and the commands themselves."""
SOUND = "SOUND"
"""Stands for a recording."""
BEFORE = Path(__file__).parents[1] / "data" / "before"
BUNDLE, STUDENT = BEFORE / "bundle", BEFORE / "student"


@pytest.fixture(scope="session")
def sound(tmp_path_factory):
    """A recording of three seconds."""
    file = tmp_path_factory.mktemp("sound") / "a.wav"
    soundfile.write(file, np.random.default_rng(0).normal(0, 0.1, 24_000), 8000)
    return file


class Install:
    """A Python where packages are missing; each command is a fork of it, which has loaded what all of them need."""

    def __init__(self, folder: Path, without: set[str], loaded: list[str]) -> None:
        self._folder = folder
        code = SERVER.format(forbidden=without, loaded=loaded)
        self.process = subprocess.Popen([sys.executable, "-c", code], stdin=PIPE, stdout=PIPE, text=True)

    def __call__(self, *words: object, module: str = "auscult.cli", folder: Path | None = None):
        """Run a command in a folder; returns exit code, stdout and stderr as `subprocess.run` does."""
        files = {name: str(self._folder / name) for name in ("stdout", "stderr")}
        job = {"module": module, "words": [str(word) for word in words], "folder": str(folder or self._folder), **files}
        print(json.dumps(job), file=self.process.stdin, flush=True)
        code = int(self.process.stdout.readline())
        said = {name: Path(file).read_text() for name, file in files.items()}
        for file in files.values():
            Path(file).unlink()
        return subprocess.CompletedProcess(words, code, **said)


@pytest.fixture(scope="module")
def installs(tmp_path_factory):
    """Make an install of which packages are missing; each ends with the module."""
    with ExitStack() as ending:

        def made(without: set[str], loaded: list[str]) -> Install:
            install = Install(tmp_path_factory.mktemp("install"), without, loaded)
            ending.enter_context(install.process)
            return install

        yield made


@pytest.fixture(scope="module")
def run(installs):
    """The base install."""
    return installs(TRAINING_PACKAGES, [*EVERY, "pandas", "ai_edge_litert.interpreter", "sklearn.metrics"])


@pytest.fixture(scope="module")
def run_light(installs):
    """The base install without what else is slow to load."""
    return installs(SLOW_PACKAGES, EVERY)


DATA = [["data", name] for name in load("data").commands]


@pytest.mark.parametrize("command", [[], *([name] for name in CONTENTS), *DATA])
def test_help_waits_for_nothing_that_is_slow_to_load(run_light, command):
    done = run_light(*command, "--help")
    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout


@pytest.mark.parametrize(
    "words",
    [
        ["teachers"],
        ["recipes"],
        ["targets"],
        ["runs", BEFORE],
        ["check", BUNDLE],
        ["models"],
        ["classify", SOUND],
        ["bench", BUNDLE, "--runs", 3],
        ["plan", BUNDLE, "--target", "cortex-m4"],
        ["firmware", BUNDLE, "--target", "cortex-m4", "-o", "firmware"],
        ["data", "list"],
        ["data", "synthesize", "corpus", "--patients", 4],
    ],
)
def test_what_the_base_install_does(run, words, sound, tmp_path):
    words = [sound if word == SOUND else word for word in words]
    done = run(*words, "--json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)
    assert "INFO" not in done.stderr  # LiteRT's word on its delegate


def test_the_base_install_reads_corpora_and_scores_bundles_on_them(run, small_options, place, tmp_path):
    corpus = f"icbhi2017:{place / 'corpus'}"
    for words in (["check", corpus], ["export", corpus, "-o", "corpus.csv"], ["check", "table:corpus.csv"]):
        done = run("data", *words, "--json", folder=tmp_path)
        assert done.returncode == 0, done.stderr
    words = [BUNDLE, "--data", corpus, "--protocol", "stream", "-o", "here", "--json"]
    done = run("evaluate", *words, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert Path(tmp_path, json.loads(done.stdout)["stream"]["predictions"]).is_file()


def test_data_says_nothing_but_its_answer(run, tmp_path):
    for words in (
        ["synthesize", "made", "--patients", 4], ["list"], ["check", "icbhi2017:made"],
        ["export", "icbhi2017:made", "-o", "table.csv"], ["check", "table:table.csv", "--json"],
    ):  # fmt: skip
        done = run("data", *words, folder=tmp_path)
        assert (done.returncode, done.stderr) == (0, ""), words


@pytest.mark.parametrize(
    ("words", "module"),
    [
        ([], "auscult.distill"),
        (["distill"], "auscult.cli"),
        (["finetune"], "auscult.cli"),
        (["demo"], "auscult.cli"),
        (["export", STUDENT], "auscult.cli"),
        (["export", "--module", "net.py:net", "--listening", "l.json", "-o", "x"], "auscult.cli"),
        (["evaluate", STUDENT, "--data", "synthetic"], "auscult.cli"),
        (["bench", BUNDLE, "--run", STUDENT], "auscult.cli"),
    ],
)
def test_what_needs_more_names_it_in_a_sentence(run, words, module, tmp_path):
    done = run(*words, module=module, folder=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: the package ")
    assert line.endswith(" is missing; pip install 'auscult-edge[train]'")
    assert list(tmp_path.iterdir()) == []


def test_the_packages_taken_away_here_are_those_that_the_base_install_lacks(run_light):
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert not {name.replace("-", "_") for name in TRAINING_PACKAGES} & {
        requirement.partition(">")[0].replace("-", "_") for requirement in project["dependencies"]
    }
    for name, entry in project["scripts"].items():
        assert run_light("--help", module=entry.partition(":")[0]).returncode == 0, name


def test_a_path_that_is_no_text_is_a_path(run, tmp_path):
    """Latin-1 in a folder's name, as old disks have it."""
    name = "bundle \udcff\n"
    shutil.copytree(BUNDLE, tmp_path / name)
    assert run("check", name, folder=tmp_path).returncode == 0
    done = run("firmware", name, "--target", "cortex-m4", "-o", name + "firmware", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "\\udcff" in done.stdout
    assert "\\udcff" in (tmp_path / (name + "firmware") / "README.md").read_text()


def test_predictions_of_a_bundle_lie_beside_it():
    assert predictions_folder(BUNDLE) == BUNDLE.resolve().with_name("bundle-evaluation")
    assert predictions_folder(STUDENT) == STUDENT / "evaluation"
