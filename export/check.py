"""Replay a bundle's golden vectors: what was evaluated is what runs here."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.bundle.manifest import ONNX_INT8_FILE, TFLITE_FILE
from export.bundle.memory import limited_memory
from export.bundle.opening import Bundle
from export.bundle.runtimes import RUNTIMES, golden_input, probabilities
from lungsound.errors import InputError
from lungsound.front_end import front_end

FLOAT_TOLERANCE = 0.001
INT8_TOLERANCE = 0.02
"""Largest error of a probability that onnxruntime may show: CPUs add floats, and saturate int8, in their own ways."""


def check(bundle: Bundle) -> dict[str, Any]:
    """Replay the golden vectors of a bundle whose hashes were verified.

    The front end must give the stored codes, unless the network hears sound; LiteRT the stored bytes with either set of
    kernels, onnxruntime the stored probabilities within a tolerance.

    Parameters
    ----------
    bundle : Bundle
        From :meth:`Bundle.open`.

    Returns
    -------
    dict
        ``windows``, ``front_end`` (``differing_codes``; None where the network hears sound), ``runtimes`` by name
        (LiteRT: ``differing_bytes``; onnxruntime: ``largest_difference`` of a probability, its ``tolerance`` and
        ``differing_decisions``), and ``skipped`` (names of runtimes that are not installed).

    Raises
    ------
    InputError
        If anything differs, or no runtime is there to run the models.
    """
    golden = bundle.golden
    runtimes, skipped = {}, []
    front_end = None if bundle.manifest.front_end else {"differing_codes": _differing_codes(bundle)}
    for name in bundle.runtimes:
        if not RUNTIMES[name].installed:
            skipped.append(name)
        elif RUNTIMES[name].file == TFLITE_FILE:
            runtimes[name] = _litert(bundle, name)
        else:
            runtimes[name] = _onnxruntime(bundle, name)
    if not runtimes:
        raise InputError(f"{bundle.path}: none of {', '.join(skipped)} is installed; pip install 'auscult-edge[train]'")
    return {
        "windows": len(golden.pcm),
        "front_end": front_end,
        "runtimes": runtimes,
        "skipped": skipped,
    }


def _differing_codes(bundle: Bundle) -> int:
    golden, manifest = bundle.golden, bundle.manifest
    assert manifest.input is not None
    codes = front_end(manifest.listening, manifest.input, golden.pcm)
    differing = int((codes != golden.codes).sum())
    if differing:
        raise InputError(f"{bundle.path}: the front end gives {differing} of {codes.size} other codes than golden.npz")
    return differing


def _litert(bundle: Bundle, name: str) -> dict[str, Any]:
    """Compare int8 outputs, bit for bit."""
    stored, outputs = _replay(bundle, name)
    differing = int((stored != outputs).sum())
    if differing:
        title, made = RUNTIMES[name].title, bundle.manifest.versions
        raise InputError(
            f"{bundle.path}: {title} gives {differing} of {stored.size} other output bytes than golden.npz, which "
            f"ai-edge-litert {made.get('ai-edge-litert', '?')} wrote on {made.get('machine', '?')}"
        )
    return {"differing_bytes": differing}


def _onnxruntime(bundle: Bundle, name: str) -> dict[str, Any]:
    """Compare probabilities within a tolerance."""
    stored, outputs = _replay(bundle, name)
    tolerance = INT8_TOLERANCE if RUNTIMES[name].file == ONNX_INT8_FILE else FLOAT_TOLERANCE
    largest = float(np.abs(probabilities(stored) - probabilities(outputs)).max())
    if not largest <= tolerance:
        title = RUNTIMES[name].title
        raise InputError(
            f"{bundle.path}: {title} is {largest:.3g} off a stored probability, at most {tolerance} is due"
        )
    thresholds = np.asarray(bundle.manifest.thresholds)
    differing = int(((stored >= thresholds) != (outputs >= thresholds)).sum())
    return {"largest_difference": largest, "tolerance": tolerance, "differing_decisions": differing}


def _replay(bundle: Bundle, name: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the stored outputs and today's."""
    golden = bundle.golden
    if name not in golden.outputs:
        raise InputError(f"{bundle.path}: golden.npz lacks the outputs of {name}; export the run again")
    runtime = bundle.load(name)
    try:
        with limited_memory():
            return golden.outputs[name], runtime.run(golden_input(golden, runtime, bundle.manifest.input))
    except InputError as error:
        raise InputError(f"{bundle.path}: {RUNTIMES[name].file}: {error}") from error
