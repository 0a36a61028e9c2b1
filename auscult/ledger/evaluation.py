"""From a model and one part of a corpus to predictions and everything that they allow to say."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from auscult.ledger.classifier import Classifier
from auscult.ledger.epochs import Epochs, Thresholds, epochs_on
from lungsound.corpora.selection import Selection
from lungsound.corpora.splits import ALL, CHOICE
from lungsound.scores.calibration import fitted_temperature
from lungsound.scores.evaluation import TRAINED, predictions_table
from lungsound.scores.ledger import scores
from lungsound.scores.no_sound import NoSound


@dataclass(frozen=True)
class Evaluation:
    """Predictions of one protocol on one part of one corpus, and what their scores need beside them.

    Attributes
    ----------
    model, corpus, part, protocol : str
        What was scored on what.
    synthetic : bool
        Whether its figures must be called synthetic.
    labels : tuple of str
        In the order of the model's outputs.
    thresholds : tuple of float
        Logits in force.
    predictions : DataFrame
        See :func:`lungsound.scores.evaluation.predictions_table`.
    events : DataFrame or None
        Annotated events of a stream's recordings.
    no_sound : NoSound or None
        The baseline of cycles, where the corpus has training events to fit it on.
    temperature : float or None
        Fitted on validation.
    epochs : Epochs or None
        What every epoch of a run says of the same windows of a test, where the epochs were kept.
    """

    model: str
    corpus: str
    part: str
    protocol: str
    synthetic: bool
    labels: tuple[str, ...]
    thresholds: tuple[float, ...]
    predictions: pd.DataFrame
    events: pd.DataFrame | None = None
    no_sound: NoSound | None = None
    temperature: float | None = None
    epochs: Epochs | None = None

    @cached_property
    def scores(self) -> dict[str, Any]:
        """What the predictions give, see :func:`lungsound.scores.ledger.scores`.

        Also ``picked_on_test``, see :meth:`auscult.ledger.epochs.Epochs.scores`; None where the epochs were not kept.
        Of cycles also ``no_sound``, see :meth:`lungsound.scores.no_sound.NoSound.scores`; None where there is none.
        """
        found = scores(
            self.predictions,
            self.protocol,
            self.labels,
            thresholds=self.thresholds,
            temperature=self.temperature,
            events=self.events,
        )
        found["picked_on_test"] = None
        if self.epochs is not None:
            truth = self.predictions[list(self.labels)].to_numpy("int64")
            found["picked_on_test"] = self.epochs.scores(truth, self.labels)
        if self.protocol == "cycles":
            found["no_sound"] = self.no_sound.scores(self.predictions, self.labels) if self.no_sound else None
        return found


def evaluate(
    classifier: Classifier,
    selection: Selection,
    part: str,
    protocol: str,
    temperature: float | None = None,
    epochs: Thresholds | None = None,
) -> Evaluation:
    """Run a classifier over a part.

    Parameters
    ----------
    classifier : Classifier
        From :func:`auscult.ledger.classifier.open_classifier`.
    selection : Selection
        Of corpora.
    part : str
        Of their split, or :data:`lungsound.corpora.splits.ALL`.
    protocol : str
        ``cycles``, which gets the no-sound baseline beside it, or ``stream``.
    temperature : float, optional
        See :func:`validation_temperature`.
    epochs : mapping, optional
        Of :func:`auscult.ledger.epochs.epoch_thresholds`: these epochs of the run hear the windows, too.
    """
    listening = classifier.listening
    windows = selection.windows(part, [protocol], listening)
    logits, decisions = classifier.decide(windows)
    if part not in (*CHOICE, ALL):
        windows = windows.assign(**{TRAINED: selection.trained(windows).astype(int)})
    return Evaluation(
        classifier.name,
        "+".join(corpus.name for corpus in selection.corpora),
        part,
        protocol,
        selection.synthetic,
        listening.labels,
        classifier.thresholds,
        predictions_table(windows, logits, decisions, listening.labels),
        selection.events(windows, listening.labels) if protocol == "stream" else None,
        _no_sound(selection, classifier) if protocol == "cycles" else None,
        temperature,
        epochs_on(classifier, epochs or {}, windows),
    )


def _no_sound(selection: Selection, classifier: Classifier) -> NoSound | None:
    """Fit the baseline on the same corpora's training events; None where they have none."""
    parts = [part for part in CHOICE if selection.has(part)]
    if not parts:
        return None
    listening = classifier.listening
    train = pd.concat([selection.windows(part, ["cycles"], listening) for part in parts])
    return NoSound.fit(train, listening.labels)


def validation_temperature(classifier: Classifier, selection: Selection) -> float | None:
    """Return the temperature that validation fits.

    On what was stored of the validation windows; of a run or bundle of before, on those of the same corpora. None where
    neither is there.
    """
    if (stored := classifier.validated()) is not None:
        return fitted_temperature(*stored)
    if selection.hash != classifier.split_hash or not selection.has("validation"):
        return None
    listening = classifier.listening
    windows = selection.windows("validation", classifier.protocols, listening)
    logits, _ = classifier.decide(windows)
    return fitted_temperature(windows[list(listening.labels)].to_numpy(), logits)
