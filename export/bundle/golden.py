"""The device's input, its decision, and golden vectors: sound and what every step makes of it."""

import io
import math
import re
import zipfile
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from export.bundle.manifest import Manifest
from lungsound.errors import InputError
from lungsound.listening import Listening

_NPY_HEADER = re.compile(
    rb"\x93NUMPY\x01\x00..\{'descr': '(<i2|\|i1|<f4)', 'fortran_order': False, "
    rb"'shape': \(((?:\d{1,9},? ?){0,4})\), \} *\n",
    re.DOTALL,
)


@dataclass(frozen=True)
class Golden:
    """Windows of sound and what must come of them.

    Attributes
    ----------
    pcm : ndarray of int16, shape [N, samples]
        Sound made by :func:`golden_pcm`; nobody's recording.
    codes : ndarray of int8, shape [N, frames, n_mels], or None
        What :func:`front_end` makes of it; None where the network hears sound.
    outputs : dict of str to ndarray, shape [N, labels]
        By runtime: int8 codes of LiteRT, float32 logits of onnxruntime.
    """

    pcm: NDArray[np.int16]
    codes: NDArray[np.int8] | None
    outputs: dict[str, NDArray[Any]]

    def to_bytes(self) -> bytes:
        """Return the content of ``golden.npz``, uncompressed, so that its size bounds what reading it takes."""
        content = io.BytesIO()
        codes = {} if self.codes is None else {"codes": self.codes}
        arrays: dict[str, Any] = {"pcm": self.pcm} | codes | self.outputs
        np.savez(content, **arrays)
        return content.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes, manifest: Manifest) -> Self:
        """Read what :meth:`to_bytes` wrote; `content` may come from anybody.

        Raises
        ------
        InputError
            If it is no such file, holds pickled objects, or arrays that do not fit the manifest.
        """
        arrays = _arrays(content)
        listening = manifest.listening
        output = (len(listening.labels),)
        due: dict[str, tuple[type[np.generic], tuple[int, ...]]] = {
            name: (np.int8 if name.startswith("litert") else np.float32, output) for name in arrays
        }
        due["pcm"] = np.int16, (listening.samples,)
        due["codes"] = np.int8, (listening.frames, listening.logmel.n_mels)
        windows = len(arrays["pcm"]) if "pcm" in arrays and arrays["pcm"].ndim else 0
        heard = manifest.front_end is None
        if not windows or ("codes" in arrays) != heard:
            what = "holds no pcm or no codes" if heard else "holds no pcm, or codes of a network that hears sound"
            raise InputError(f"golden.npz: {what}; export the run again")
        for name, values in arrays.items():
            kind, shape = due[name]
            if values.shape != (windows, *shape) or values.dtype != kind:
                found = f"{values.dtype} {list(values.shape)} where {kind.__name__} {[windows, *shape]} is due"
                raise InputError(f"golden.npz: {name} is {found}; export the run again")
        return cls(arrays.pop("pcm"), arrays.pop("codes", None), arrays)


def _arrays(content: bytes) -> dict[str, NDArray[Any]]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
                raise InputError("golden.npz: compressed, which its writer never does; export the run again")
            return {name.removesuffix(".npy"): _array(name, archive.read(name)) for name in archive.namelist()}
    except (zipfile.BadZipFile, RuntimeError, ValueError, EOFError, OSError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"golden.npz: not readable ({error}); restore the file or export the run again") from error


def _array(name: str, content: bytes) -> NDArray[Any]:
    """Read the one form of .npy that :meth:`Golden.to_bytes` writes; numpy's own reader evaluates what it finds."""
    header = _NPY_HEADER.match(content)
    if header is None:
        raise InputError(f"golden.npz: {name[:40]!r} is no plain array; export the run again")
    dtype, shape = np.dtype(header[1].decode()), tuple(int(size) for size in re.findall(rb"\d+", header[2]))
    if len(content) - header.end() != math.prod(shape) * dtype.itemsize:
        raise InputError(f"golden.npz: {name[:40]!r} is not as long as it says; export the run again")
    return np.frombuffer(content, dtype, offset=header.end()).reshape(shape)


def golden_pcm(listening: Listening, seed: int = 0) -> NDArray[np.int16]:
    """Return windows of made-up sound, int16 [8, samples]: what is heard, and the extremes.

    Silence, the quietest noise, breath-like noise, breath with clicks, breath with a rising whistle, both,
    a clipped tone, noise at full scale. They travel with every bundle, so they are nobody's recording.

    Parameters
    ----------
    listening : Listening
        Length of the window and sample rate.
    seed : int
        Of the noise.
    """
    rng = np.random.default_rng(seed)
    samples, rate = listening.samples, listening.logmel.sample_rate
    time = np.arange(samples) / rate
    noise = rng.standard_normal((4, samples))
    breath = 0.03 * noise[0] * (0.2 + np.sin(np.pi * time / 2.0) ** 2)
    clicks = _clicks(rng, time)
    top = 0.4 * min(rate / 2.0, listening.logmel.f_max)
    whistle = 0.1 * np.sin(2 * np.pi * (100.0 * time + (top - 100.0) * time**2 / (2 * time[-1])))
    waves = np.stack(
        [
            np.zeros(samples),
            noise[1] / 32768.0,
            breath,
            breath + clicks,
            breath + whistle,
            0.03 * noise[2] + clicks + whistle,
            4.0 * np.sin(2 * np.pi * 0.3 * top * time),
            noise[3],
        ]
    )
    return np.clip(np.rint(waves * 32768.0), -32768, 32767).astype(np.int16)


def _clicks(rng: np.random.Generator, time: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return damped 300 Hz bursts of some 10 ms, about four a second."""
    wave = np.zeros(len(time))
    for start in rng.uniform(0.0, time[-1], max(1, round(4 * time[-1]))):
        since = time - start
        wave += 0.3 * np.where(since >= 0, np.exp(-np.maximum(since, 0.0) / 0.005) * np.sin(600 * np.pi * since), 0.0)
    return wave
