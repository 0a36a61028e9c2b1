"""Programs as `python -c` runs them, in processes forked from one that has imported the libraries they need."""

import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

LIBRARIES = (
    "lungsound.cpu_wheels",  # before anything that imports torchvision or torchaudio
    "ai_edge_quantizer",
    "filelock",
    "lightning",
    "nncf.onnx.quantization.quantize_model",
    "pyarrow.pandas_compat",
    "pydantic.type_adapter",
    "pytest",
    "sklearn.linear_model",
    "timm.models.vision_transformer",
    "torch._export.serde.serialize",
    "torch._functorch.aot_autograd",
    "torch.export._trace",
    "torch.onnx._internal.exporter._compat",
    "torch.onnx._internal.exporter._torchlib.ops",
    "torchaudio",
    "torchmetrics",
    "typer._adapters",
)
"""What commands import, most of it late, but for onnxruntime, which starts a thread: none may be there at a fork."""

NO_THREADS = {"JE_ARROW_MALLOC_CONF": "background_thread:false"}

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(list(LIBRARIES))


class WarmProcess:
    """A program that runs.

    Parameters
    ----------
    program : str
        Its source.
    words : sequence
        Its arguments.
    cwd, path, environment, text
        Working folder, sys.path, what is added to the environment, and its standard input.
    """

    def __init__(
        self,
        program: str,
        words: Sequence[object] = (),
        cwd: Path | None = None,
        path: Sequence[str] | None = None,
        environment: Mapping[str, str] | None = None,
        text: str = "",
    ) -> None:
        os.environ.update(NO_THREADS)
        self._folder = tempfile.TemporaryDirectory()
        self._files = [Path(self._folder.name) / name for name in ("in", "out", "err")]
        self._files[0].write_text(text)
        self._words = list(map(str, words))
        values = {**os.environ, **(environment or {})}
        self._process = _CONTEXT.Process(
            target=_be, args=(program, self._words, str(cwd or Path.cwd()), list(path or sys.path), values, self._files)
        )
        self._process.start()

    def ended(self) -> subprocess.CompletedProcess[str]:
        """Wait for its end."""
        self._process.join()
        _, out, err = (file.read_text() for file in self._files)
        self._folder.cleanup()
        return subprocess.CompletedProcess(self._words, self._process.exitcode or 0, out, err)


def _be(
    program: str, words: list[str], cwd: str, path: list[str], environment: dict[str, str], files: list[Path]
) -> None:
    """Be the program."""
    for descriptor, file in enumerate(files):
        opened = os.open(file, os.O_RDONLY if descriptor == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.dup2(opened, descriptor)
        os.close(opened)
    sys.stdin = os.fdopen(0, closefd=False)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:] = path
    for name in [name for name in sys.modules if name.partition(".")[0] == "lungsound"]:
        del sys.modules[name]  # another copy of the sources may be meant
    sys.argv = ["-c", *words]
    exec(compile(program, "<program>", "exec"), {"__name__": "__main__"})
