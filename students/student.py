"""A student: a small convolutional trunk of some family and a head for several labels."""

import copy
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from lungsound.errors import InputError
from lungsound.labels import LABELS
from lungsound.listening import Listening
from lungsound.networks.cards import WeightsCard
from lungsound.networks.leaf import Leaf
from lungsound.networks.leaf_config import LeafConfig, leaf_config
from lungsound.networks.trunk import pool
from lungsound.training.weights import load_weights, save_weights
from students.csra import CsraHead, temperatures_of
from students.linear import LinearHead, MlpHead
from students.registry import Rows, family
from students.stem import take_channels

HEADS = ("csra", "linear", "mlp")
"""Attention over positions, or the mean over them and a linear layer, or two."""

_LATER = ("depth", "front_end")  # stored only where there is one


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
    head : {"csra", "linear", "mlp"}
        What turns the feature map into logits; `heads`, `lam` and `temperatures` are CSRA's.
    depth : int, optional
        Blocks of a trunk that is sized by depth, the family's usual if not given; None of all others.
    front_end : LeafConfig, optional
        A learnable front end, with which the student hears sound; without it, log-mels.
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
    front_end: LeafConfig | None = None

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
        """Return plain values for JSON; depth and front end only where there is one."""
        values = asdict(self)
        return {name: value for name, value in values.items() if name not in _LATER or value is not None}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Make it from :meth:`to_dict`'s values.

        Raises
        ------
        InputError
            If a key is unknown or missing, or a value makes no sense. Before there were two heads, none was named;
            where there is no front end, none is.
        """
        known = {field.name for field in fields(cls)}
        values = {"head": "csra"} | dict.fromkeys(_LATER) | values if isinstance(values, dict) else values
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
                front_end=leaf_config(values["front_end"]),
            )
        except (TypeError, ValueError) as error:
            raise InputError(f"student configuration: {error}") from error


class Student(nn.Module):
    """Trunk and head, behind a learnable front end or not; a log-mel or sound in, a logit per label out.

    Parameters
    ----------
    config : StudentConfig
        Its shape.
    """

    def __init__(self, config: StudentConfig) -> None:
        super().__init__()
        self.config = config
        self._family = family(config.trunk)
        self.front_end = Leaf(config.front_end) if config.front_end else None
        self.trunk = self._family.make(config.width, config.dropout, config.depth)
        self._widen()
        self.head: CsraHead | LinearHead | MlpHead
        if config.head == "linear":
            self.head = LinearHead(self.embedding_dim, config.classes)
        elif config.head == "mlp":
            hidden = int(getattr(self.trunk, "hidden", self.embedding_dim))
            self.head = MlpHead(self.embedding_dim, hidden, config.classes)
        else:
            self.head = CsraHead(self.embedding_dim, config.classes, config.head_temperatures, config.lam)

    @property
    def embedding_dim(self) -> int:
        """Size of the pooled embedding, the channels of the feature map."""
        return int(self.trunk.channels)  # type: ignore[arg-type]

    @property
    def hears_sound(self) -> bool:
        """Whether it takes samples [B, samples] in [-1, 1] in place of normalised log-mels [B, 1, T, F]."""
        return self.front_end is not None

    def forward(self, x: Tensor) -> Tensor:
        """Map normalised log-mels [B, 1, T, F], or sound [B, samples], to logits [B, C]."""
        logits: Tensor = self.head(self.features(x))
        return logits

    def features(self, x: Tensor) -> Tensor:
        """Map normalised log-mels [B, 1, T, F], or sound, to the map [B, D, t, f] that `head` and `pool` take.

        Raises
        ------
        InputError
            If the window is smaller than the family takes.
        """
        return self.feature_map(self.spectrogram(x))

    def spectrogram(self, x: Tensor) -> Tensor:
        """Map what the student hears to what its trunk sees, [B, channels, T, F]: a log-mel is that already."""
        return x if self.front_end is None else self.front_end(x)

    def feature_map(self, spectrogram: Tensor) -> Tensor:
        """Map what the trunk sees to the map [B, D, t, f]; see :meth:`features`."""
        self._check_size(*spectrogram.shape[-2:])
        feature_map: Tensor = self.trunk(spectrogram)
        return feature_map

    def pool(self, feature_map: Tensor) -> Tensor:
        """Pool a feature map [B, D, t, f] to the embedding [B, D]: mean over mel, maximum plus mean over time."""
        return pool(feature_map)

    def embed(self, x: Tensor) -> Tensor:
        """Map normalised log-mels [B, 1, T, F], or sound, to embeddings [B, D]."""
        return pool(self.features(x))

    @property
    def rows(self) -> Rows | None:
        """Which frames the rows of the feature map depend on; None where the trunk or a front end pads time."""
        return None if self.hears_sound else getattr(self.trunk, "rows", None)

    def whole_hop(self, listening: Listening) -> float:
        """Return the seconds of the hop that the windows of a stream need, nearest to what they have."""
        if self.rows is None:
            return listening.hop_seconds
        return self._seconds(listening, max(1, round(listening.hop_frames / self.rows.stride)))

    def deployed(self) -> Self:
        """Return a copy in evaluation mode whose shapes depend on no value, for exporters: learnt filters are fixed."""
        student = copy.deepcopy(self).eval()
        if student.front_end is not None:
            student.front_end.fix()
        return student

    def check_window(self, listening: Listening) -> None:
        """Refuse what the student cannot hear.

        A window that is smaller than the family takes, a hop that is no whole number of its rows, sound of another rate
        than the front end's.

        Raises
        ------
        InputError
            With the size or the rate that is needed, or the hops beside it.
        """
        if (front_end := self.config.front_end) is not None:
            front_end.check_rate(listening.logmel.sample_rate)
            self._check_size(front_end.frames(listening.samples), front_end.n_filters)
            return
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
        """Copy published weights of the family into the trunk and return their card.

        The head stays as it is, but for the hidden layer of an ``mlp`` head where the family publishes one.

        Raises
        ------
        InputError
            If the family has no published weights, or the file does not hold them.
        """
        published = self._family.card.published
        if published is None:
            raise InputError(f"{path}: the student {self.config.trunk} has no published weights to start from")
        if self.front_end is not None:  # the weights are those of one channel
            with torch.random.fork_rng(devices=[]):
                self.trunk = self._family.make(self.config.width, self.config.dropout, self.config.depth)
        card = published.load(self.trunk, path) or published.card
        self._widen()
        if published.load_hidden is not None and isinstance(self.head, MlpHead):
            published.load_hidden(self.head.hidden, path)
        return card

    def _widen(self) -> None:
        """Let the trunk take the channels of the front end."""
        front_end = self.config.front_end
        if front_end is not None and front_end.channels > 1:
            take_channels(self.trunk, front_end.channels)

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
