"""A teacher: an encoder, the fusion of its layers, and a linear head."""

from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, NamedTuple, Self

from torch import Tensor, nn

from lungsound.errors import InputError
from lungsound.labels import LABELS
from lungsound.training.weights import load_weights, save_weights
from teachers.classes import MOST_CLASSES, Combinations, LabelsOfClasses
from teachers.encoder import build, config_from, config_values
from teachers.fusion import Fusion
from teachers.settings import Layers, Pooling


@dataclass(frozen=True, slots=True)
class TeacherConfig:
    """Everything that decides a teacher's shape.

    Attributes
    ----------
    encoder : Config
        Of the encoder, see :class:`teachers.encoder.Encoder`.
    layers : tuple of int, "all" or "last"
        Layers that are fused, counted from 1.
    learnable : bool
        Train a weight for each fused layer.
    pooling : {"frames", "tokens", "mean", "clip"}
        What the fusion pools.
    classes : int
        Number of logits.
    combinations : tuple of tuple of int, optional
        Where the head tells classes that exclude each other, the labels of each, see :mod:`teachers.classes`.
    """

    encoder: Any
    layers: Layers = "all"
    learnable: bool = True
    pooling: Pooling = "frames"
    classes: int = len(LABELS)
    combinations: Combinations | None = None

    def __post_init__(self) -> None:
        if self.combinations is not None:
            _check_combinations(self.combinations, self.classes)
        if not (isinstance(self.learnable, bool) and isinstance(self.classes, int) and self.classes > 0):
            raise InputError(f"teacher: learnable must be true or false and classes a positive number, got {self}")

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; `combinations`, which came later, only where there are any."""
        values = asdict(self) | {"encoder": config_values(self.encoder)}
        if self.combinations is None:
            del values["combinations"]
        return values

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Make it from :meth:`to_dict`'s values.

        Raises
        ------
        InputError
            If a key is unknown or missing, or a value makes no sense.
        """
        try:
            layers = values["layers"] if values["layers"] in ("all", "last") else tuple(values["layers"])
            combinations = values.get("combinations")
            return cls(
                **{field.name: values[field.name] for field in fields(cls) if field.name != "combinations"}
                | {"encoder": config_from(values["encoder"]), "layers": layers},
                combinations=None if combinations is None else tuple(tuple(row) for row in combinations),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"not a description of a teacher: {error}") from error


def _check_combinations(combinations: Combinations, labels: int) -> None:
    binary = all(
        len(row) == labels and all(type(value) is int and value in (0, 1) for value in row) for row in combinations
    )
    if not binary or not combinations or any(len(set(column)) < 2 for column in zip(*combinations, strict=True)):
        raise InputError(f"teacher: combinations must be rows of {labels} labels, each in some and not in others")
    if len(combinations) > MOST_CLASSES or len(set(combinations)) < len(combinations):
        raise InputError(f"teacher: {len(combinations)} combinations, at most {MOST_CLASSES} that differ are classes")


class TeacherOutput(NamedTuple):
    """What a teacher says of a batch of windows.

    Attributes
    ----------
    logits : Tensor of float, shape [B, C]
        One a label, in the order of the run's labels.
    embedding : Tensor of float, shape [B, E]
        The fused and pooled layers, on which the head's outputs depend linearly.
    """

    logits: Tensor
    embedding: Tensor


class Teacher(nn.Module):
    """Encoder, fusion and head; a log-mel in, logits and embedding out.

    Parameters
    ----------
    config : TeacherConfig
        Its shape.
    """

    def __init__(self, config: TeacherConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = build(config.encoder)
        depth = len(self.encoder.shapes)
        self.fusion = Fusion(depth, config.layers, learnable=config.learnable, pooling=config.pooling)
        self.tell_apart(config.combinations)

    def tell_apart(self, combinations: Combinations | None) -> None:
        """Draw a new head: an output for each of these classes, or with None for each label."""
        self.config = replace(self.config, combinations=combinations)
        self.head = nn.Linear(self.embedding_dim, len(combinations) if combinations else self.config.classes)
        self.labels = LabelsOfClasses(combinations) if combinations else nn.Identity()

    @property
    def embedding_dim(self) -> int:
        """Size of the embedding."""
        return self.fusion.width(self.encoder.shapes)

    def embed(self, x: Tensor) -> Tensor:
        """Return the embedding [B, E] of normalised log-mels [B, 1, frames, mels] of any length."""
        return self.fusion(self.encoder.encode_layers(x.transpose(-1, -2)))  # type: ignore[no-any-return]

    def forward(self, x: Tensor) -> TeacherOutput:
        """Classify windows.

        Parameters
        ----------
        x : Tensor of float, shape [B, 1, frames, mels]
            Normalised log-mels of any length.
        """
        embedding = self.embed(x)
        return TeacherOutput(self.labels(self.head(embedding)), embedding)

    def save_weights(self, path: Path) -> None:
        """Write the weights as safetensors."""
        save_weights(self, path)

    @classmethod
    def load(cls, config: dict[str, Any], weights: Path) -> Self:
        """Make a teacher from :meth:`TeacherConfig.to_dict` and :meth:`save_weights`; both stand in its run.

        Raises
        ------
        InputError
            If the description makes no sense, or see :func:`lungsound.training.weights.load_weights`.
        """
        teacher = cls(TeacherConfig.from_dict(config))
        load_weights(teacher, weights)
        return teacher
