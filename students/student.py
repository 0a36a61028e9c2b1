"""A student: a small convolutional trunk of some family and a head for several labels."""

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

from torch import Tensor, nn

from lungsound.errors import InputError
from lungsound.labels import LABELS
from lungsound.listening import Listening
from lungsound.networks.cards import WeightsCard
from lungsound.networks.trunk import pool
from lungsound.training.weights import load_weights, save_weights
from students.csra import CsraHead, temperatures_of
from students.linear import LinearHead
from students.registry import Rows, family

HEADS = ("csra", "linear")
"""Attention over positions, or the mean over them and a linear layer."""


@dataclass(frozen=True, slots=True)
class StudentConfig:
    """Everything that decides a student's shape.

    Attributes
    ----------
    trunk : str
        Name of a family, see :func:`students.registry.families`.
    width : float
        Multiplier of the trunk's channels.
    heads : int
        Attention heads of CSRA: 1, 2, 4, 6 or 8.
    lam : float
        Weight of the attention beside the mean.
    temperatures : tuple of float, optional
        One a head, 99 for the maximum; CSRA's table for `heads` if not given.
    classes : int
        Number of logits.
    dropout : float
        Of the trunk, while training.
    head : {"csra", "linear"}
        What turns the feature map into logits; `heads`, `lam` and `temperatures` are CSRA's.
    depth : int, optional
        Blocks of a trunk that is sized by depth, the family's usual if not given; None of all others.
    """

    trunk: str = "cnn6"
    width: float = 0.25
    heads: int = 4
    lam: float = 0.2
    temperatures: tuple[float, ...] | None = None
    classes: int = len(LABELS)
    dropout: float = 0.0
    head: str = "csra"
    depth: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "depth", family(self.trunk).depth(self.depth))
        if self.head not in HEADS:
            raise InputError(f"no head called {self.head!r}; choose one of {', '.join(HEADS)}")
        if len(self.head_temperatures) != self.heads or not all(t > 0 for t in self.head_temperatures):
            raise InputError(f"{self.heads} heads need as many positive temperatures, got {self.temperatures}")
        for name, low, high in (("width", 1 / 64, 4), ("lam", 0, 10), ("classes", 1, 1000), ("dropout", 0, 0.9)):
            value = getattr(self, name)
            if not low <= value <= high:
                raise InputError(f"a student's {name} must lie between {low:g} and {high:g}, got {value}")

    @property
    def head_temperatures(self) -> tuple[float, ...]:
        """Temperature of every head."""
        return self.temperatures if self.temperatures is not None else temperatures_of(self.heads)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; the depth only where there is one."""
        return {name: value for name, value in asdict(self).items() if name != "depth" or value is not None}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Make it from :meth:`to_dict`'s values.

        Raises
        ------
        InputError
            If a key is unknown or missing, or a value makes no sense. Before there were two heads, none was named.
        """
        known = {field.name for field in fields(cls)}
        values = {"head": "csra", "depth": None} | values if isinstance(values, dict) else values
        if not isinstance(values, dict) or set(values) != known:
            raise InputError(f"student configuration: expected exactly the keys {', '.join(sorted(known))}")
        try:
            temperatures, depth = values["temperatures"], values["depth"]
            return cls(
                trunk=str(values["trunk"]),
                width=float(values["width"]),
                heads=int(values["heads"]),
                lam=float(values["lam"]),
                temperatures=None if temperatures is None else tuple(float(t) for t in temperatures),
                classes=int(values["classes"]),
                dropout=float(values["dropout"]),
                head=str(values["head"]),
                depth=None if depth is None else int(depth),
            )
        except (TypeError, ValueError) as error:
            raise InputError(f"student configuration: {error}") from error


class Student(nn.Module):
    """Trunk and head; a log-mel in, a logit per label out.

    Parameters
    ----------
    config : StudentConfig
        Its shape.
    """

    def __init__(self, config: StudentConfig) -> None:
        super().__init__()
        self.config = config
        self._family = family(config.trunk)
        self.trunk = self._family.make(config.width, config.dropout, config.depth)
        self.head: CsraHead | LinearHead
        if config.head == "linear":
            self.head = LinearHead(self.embedding_dim, config.classes)
        else:
            self.head = CsraHead(self.embedding_dim, config.classes, config.head_temperatures, config.lam)

    @property
    def embedding_dim(self) -> int:
        """Size of the pooled embedding, the channels of the feature map."""
        return int(self.trunk.channels)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """Map normalised log-mels [B, 1, T, F] to logits [B, C]."""
        logits: Tensor = self.head(self.features(x))
        return logits

    def features(self, x: Tensor) -> Tensor:
        """Map normalised log-mels [B, 1, T, F] to the map [B, D, t, f] that `head` and `pool` take.

        Raises
        ------
        InputError
            If the window is smaller than the family takes.
        """
        self._check_size(*x.shape[-2:])
        feature_map: Tensor = self.trunk(x)
        return feature_map

    def pool(self, feature_map: Tensor) -> Tensor:
        """Pool a feature map [B, D, t, f] to the embedding [B, D]: mean over mel, maximum plus mean over time."""
        return pool(feature_map)

    def embed(self, x: Tensor) -> Tensor:
        """Map normalised log-mels [B, 1, T, F] to embeddings [B, D]."""
        return pool(self.features(x))

    @property
    def rows(self) -> Rows | None:
        """Which frames the rows of the feature map depend on; None where the trunk pads time."""
        return getattr(self.trunk, "rows", None)

    def whole_hop(self, listening: Listening) -> float:
        """Return the seconds of the hop that the windows of a stream need, nearest to what they have."""
        if self.rows is None:
            return listening.hop_seconds
        return self._seconds(listening, max(1, round(listening.hop_frames / self.rows.stride)))

    def check_window(self, listening: Listening) -> None:
        """Refuse a window that is smaller than the family takes, and a hop that is no whole number of its rows.

        Raises
        ------
        InputError
            With the size that is needed, or the hops beside it.
        """
        self._check_size(listening.frames, listening.logmel.n_mels)
        if self.rows is None or listening.hop_frames % self.rows.stride == 0:
            return
        below = listening.hop_frames // self.rows.stride
        hops = " or ".join(f"{self._seconds(listening, rows):.9g}" for rows in (below, below + 1) if rows)
        raise InputError(
            f"a hop of {listening.hop_frames} frames ({listening.hop_seconds:.9g} s) is no whole number of output rows "
            f"of {self.config.trunk}, one every {self.rows.stride} frames; give a hop of {hops} s"
        )

    def _seconds(self, listening: Listening, rows: int) -> float:
        assert self.rows is not None
        return rows * self.rows.stride * listening.logmel.hop / listening.logmel.sample_rate

    def _check_size(self, frames: int, mels: int) -> None:
        smallest = self._family.card.smallest_input
        if min(frames, mels) < smallest:
            raise InputError(
                f"{frames} frames of {mels} mels are too few for {self.config.trunk}; give at least {smallest} of both"
            )
        if self.rows is not None and frames < self.rows.frames:
            raise InputError(
                f"{frames} frames are too few for {self.config.trunk} of depth {self.config.depth}; give a window "
                f"of at least {self.rows.frames}, or less depth"
            )

    def start_from(self, path: Path) -> WeightsCard:
        """Copy published weights of the family into the trunk and return their card; the head stays as it is.

        Raises
        ------
        InputError
            If the family has no published weights, or the file does not hold them.
        """
        published = self._family.card.published
        if published is None:
            raise InputError(f"{path}: the student {self.config.trunk} has no published weights to start from")
        return published.load(self.trunk, path) or published.card

    def save_weights(self, path: Path) -> None:
        """Write the weights as safetensors."""
        save_weights(self, path)

    @classmethod
    def load(cls, config: dict[str, Any], weights: Path) -> Self:
        """Make a student from :meth:`StudentConfig.to_dict` and :meth:`save_weights`; both stand in its run.

        Raises
        ------
        InputError
            If the description makes no sense, or see :func:`lungsound.training.weights.load_weights`.
        """
        student = cls(StudentConfig.from_dict(config))
        load_weights(student, weights)
        return student
