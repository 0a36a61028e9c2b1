"""manifest.json: everything about a bundle that its models do not say themselves."""

import hashlib
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from lungsound.errors import InputError
from lungsound.files.plain_json import dumps, loads, take, take_list
from lungsound.files.seal import UNSEALED, is_sealed, sealed
from lungsound.listening import Listening
from lungsound.networks.leaf_config import FRONT_ENDS
from lungsound.quality.abstention import Abstention
from lungsound.quality.features import check_window
from lungsound.quantization import Quantization

MANIFEST_FILE = "manifest.json"
TFLITE_FILE = "model_int8.tflite"
ONNX_FLOAT_FILE = "model_float.onnx"
ONNX_INT8_FILE = "model_int8.onnx"
GOLDEN_FILE = "golden.npz"
PREDICTIONS_FILE = "validation.csv.gz"
CARD_FILE = "README.md"
FILES = (TFLITE_FILE, ONNX_FLOAT_FILE, ONNX_INT8_FILE, GOLDEN_FILE, PREDICTIONS_FILE, CARD_FILE)
"""Every file a bundle may hold beside its manifest; no other name is read."""

FORMAT = 1

_MOST_MULTIPLY_ACCUMULATES = 2**50


@dataclass(frozen=True, slots=True)
class FileFacts:
    """Size in bytes and sha256 (hexadecimal) of one file."""

    size: int
    sha256: str

    @classmethod
    def of(cls, content: bytes) -> Self:
        """Measure a file's content."""
        return cls(len(content), hashlib.sha256(content).hexdigest())


@dataclass(frozen=True, slots=True)
class LearntFrontEnd:
    """A front end that was learnt, inside a network that hears sound and stays float.

    Attributes
    ----------
    name : str
        What options call it.
    multiply_accumulates : int
        Of a second of sound, with the filters that were learnt.
    """

    name: str
    multiply_accumulates: int

    def __str__(self) -> str:
        """Say what it costs."""
        return (
            f"{self.name} (EfficientLEAF) costs {self.multiply_accumulates / 1e6:.1f} M multiply-accumulates a second "
            "of sound before the network"
        )


@dataclass(frozen=True)
class Manifest:
    """What a bundle is, as ``manifest.json`` tells it.

    Attributes
    ----------
    listening : Listening
        The models' input: log-mel specification, window, hop and the order of the labels.
    thresholds : tuple of float
        Logits at and above which a label is given, one a label.
    threshold_codes : tuple of int or None
        The same for the int8 output codes (128: never); None in a bundle without .tflite.
    input : Quantization or None
        Of the normalised log-mel; None where the network hears sound.
    output : Quantization or None
        Of the logits; None in a bundle without .tflite.
    student : dict
        The student's configuration.
    parameters : int
        Number of trained values.
    data : tuple of str
        Names of the training corpora.
    synthetic : bool
        Whether every figure here must be called synthetic.
    protocols : tuple of str
        ``cycles``, ``stream`` or both.
    split : dict
        ``name`` and ``hash``.
    teacher : dict
        ``name``, ``licence`` and ``paper``.
    ranges : dict
        ``method`` in words and ``windows``, the number of training windows that the ranges come from.
    seed : int
        Of the training.
    versions : dict
        Of the packages that decide the numbers.
    validation : dict
        Figures on the validation split: ``windows``, ``float``, ``int8`` by runtime.
    files : dict of str to FileFacts
        Every file of the bundle but the manifest itself.
    front_end : LearntFrontEnd or None
        Of a network that hears sound.
    gate : dict or None
        What int8 loses, see :func:`export.gate.gate`; None where there is no int8, and in bundles of before.
    aim : str or None
        What the thresholds were chosen for, see :class:`lungsound.scores.aims.Aim`; None where nobody says.
    flips : tuple of dict or None
        Windows that float has right and an int8 model loses, see :func:`lungsound.scores.flips.flips`; each tells its
        ``model``. None where the truth is not known, and in bundles of before.
    abstention : Abstention or None
        When to listen again; None gives every window an answer.
    """

    listening: Listening
    thresholds: tuple[float, ...]
    threshold_codes: tuple[int, ...] | None
    input: Quantization | None
    output: Quantization | None
    student: dict[str, Any]
    parameters: int
    data: tuple[str, ...]
    synthetic: bool
    protocols: tuple[str, ...]
    split: dict[str, Any]
    teacher: dict[str, Any]
    ranges: dict[str, Any]
    seed: int
    versions: dict[str, str]
    validation: dict[str, Any]
    files: dict[str, FileFacts] = field(default_factory=dict)
    front_end: LearntFrontEnd | None = None
    gate: dict[str, Any] | None = None
    aim: str | None = None
    flips: tuple[dict[str, Any], ...] | None = None
    abstention: Abstention | None = None

    @property
    def failed(self) -> str | None:
        """Why the gate would have refused the bundle, in words; None where it did not."""
        if self.gate is None or self.gate["verdict"] != "failed":
            return None
        return "; ".join(self.gate["reasons"])

    @property
    def values(self) -> int:
        """Values of a window that the models take: of its log-mel, or its samples."""
        listening = self.listening
        return listening.samples if self.front_end else listening.frames * listening.logmel.n_mels

    def with_files(self, contents: dict[str, bytes]) -> Self:
        """Return the manifest of a bundle that holds `contents`."""
        return replace(self, files={name: FileFacts.of(content) for name, content in contents.items()})

    def to_json(self) -> str:
        """Return the text of ``manifest.json``; ``sha256`` in it is that of the text with 64 zeros in its place."""
        values = asdict(self) | {"listening": self.listening.to_dict()}
        for name in ("front_end", "gate", "aim", "flips", "abstention"):
            if values[name] is None:
                del values[name]
        return sealed(dumps({"format": FORMAT, "sha256": UNSEALED} | values).encode()).decode()

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what :meth:`to_json` wrote; `text` may come from anybody.

        Raises
        ------
        InputError
            If it is no manifest of this format, a value is missing, of the wrong type or out of bounds, or any
            character was changed.
        """
        values = loads(text)
        if values.get("format") != FORMAT:
            found = str(values.get("format"))[:20]
            raise InputError(f"format {found} where this version reads {FORMAT}")
        if not is_sealed(text.encode(), take(values, "sha256", str)):
            raise InputError("its text does not have its sha256")
        output = values.get("output")
        codes = values.get("threshold_codes")
        manifest = cls(
            listening=Listening.from_dict(take(values, "listening", dict)),
            thresholds=tuple(float(value) for value in take_list(values, "thresholds", float)),
            threshold_codes=None if codes is None else tuple(take_list(values, "threshold_codes", int)),
            input=None if "front_end" in values else _quantization(take(values, "input", dict)),
            output=None if output is None else _quantization(take(values, "output", dict)),
            student=take(values, "student", dict),
            parameters=take(values, "parameters", int),
            data=tuple(take_list(values, "data", str)),
            synthetic=take(values, "synthetic", bool),
            protocols=tuple(take_list(values, "protocols", str)),
            split=_words(values, "split", ("name", "hash")),
            teacher=_words(values, "teacher", ("name", "licence", "paper")),
            ranges=_words(values, "ranges", ("method",)),
            seed=take(values, "seed", int),
            versions=_words(values, "versions", ()),
            validation=take(values, "validation", dict),
            files=_files(take(values, "files", dict)),
            front_end=_front_end(take(values, "front_end", dict)) if "front_end" in values else None,
            gate=_gate(take(values, "gate", dict)) if "gate" in values else None,
            aim=take(values, "aim", str) if "aim" in values else None,
            flips=tuple(take_list(values, "flips", dict)) if "flips" in values else None,
            abstention=Abstention.from_dict(take(values, "abstention", dict)) if "abstention" in values else None,
        )
        manifest._agree()
        return manifest

    def _agree(self) -> None:
        """Refuse what cannot belong together."""
        labels = len(self.listening.labels)
        for name, given in (("thresholds", self.thresholds), ("threshold_codes", self.threshold_codes)):
            if given is not None and len(given) != labels:
                raise InputError(f"{name} has {len(given)} values for {labels} labels")
        int8 = TFLITE_FILE in self.files
        if int8 != (self.output is not None) or int8 != (self.threshold_codes is not None):
            raise InputError(f"{TFLITE_FILE}, output and threshold_codes go together")
        if self.output is not None and self.threshold_codes != self.output.threshold_codes(self.thresholds):
            raise InputError("threshold_codes are not the codes of thresholds")
        if self.front_end is not None and {TFLITE_FILE, ONNX_INT8_FILE} & self.files.keys():
            raise InputError("front_end goes with a float model alone")
        if self.abstention is not None:
            self._agree_to_abstain(self.abstention)
        if GOLDEN_FILE not in self.files:
            raise InputError(f"files lacks {GOLDEN_FILE}")

    def _agree_to_abstain(self, abstention: Abstention) -> None:
        """Refuse certainties of other labels than the model's, or beside their thresholds."""
        certain = abstention.certain
        if self.threshold_codes is None or len(certain.absent_below) != len(self.threshold_codes):
            raise InputError("abstention is not of the labels that have threshold_codes")
        for low, code, high in zip(certain.absent_below, self.threshold_codes, certain.present_from, strict=True):
            if not low <= code <= high:
                raise InputError("a label is given where abstention says it is certainly absent, or the reverse")
        check_window(self.listening.samples, self.listening.logmel.sample_rate)


def _words(values: dict[str, Any], name: str, keys: tuple[str, ...]) -> dict[str, Any]:
    found = dict(take(values, name, dict))
    for key in keys:
        take(found, key, str)
    return found


def _quantization(values: dict[str, Any]) -> Quantization:
    return Quantization(float(take(values, "scale", float)), take(values, "zero_point", int))


def _front_end(values: dict[str, Any]) -> LearntFrontEnd:
    name, cost = take(values, "name", str), take(values, "multiply_accumulates", int)
    if name not in FRONT_ENDS[1:] or not 0 < cost < _MOST_MULTIPLY_ACCUMULATES:
        raise InputError(f"front_end is {name[:40]!r} of {str(cost)[:40]} multiply-accumulates a second")
    return LearntFrontEnd(name, cost)


def _gate(values: dict[str, Any]) -> dict[str, Any]:
    take(values, "verdict", str)
    take_list(values, "reasons", str)
    take_list(values, "falls", dict)
    return values


def _files(values: dict[str, Any]) -> dict[str, FileFacts]:
    for name in values:
        if name not in FILES:
            raise InputError(f"names a file {name[:40]!r}; a bundle holds only {', '.join(FILES)}")
    facts = {name: take(values, name, dict) for name in values}
    return {name: FileFacts(take(fact, "size", int), take(fact, "sha256", str)) for name, fact in facts.items()}
