"""One training from several seeds: a run for each, and how far their figures vary."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lungsound.files.record import write_object
from lungsound.scores.spread import spread, spreads
from lungsound.terminal import err
from lungsound.training.runs import RUN_FILE, SEEDS_FILE, Run, in_use, seed_folder
from teachers.settings import FinetuneSettings
from teachers.start import run_name
from teachers.training import finetune


@dataclass(frozen=True)
class Seeds:
    """Finished trainings that differ in their seed alone.

    Attributes
    ----------
    path : Path
        The folder that holds their runs.
    runs : tuple of Run
        In the order of their seeds.
    validation : dict
        Of each figure on validation, see :func:`lungsound.scores.spread.spreads`.
    layer_weights : dict
        Of the weight of each layer that fusions learnt, see :func:`lungsound.scores.spread.spread`.
    """

    path: Path
    runs: tuple[Run, ...]
    validation: dict[str, dict[str, Any]]
    layer_weights: dict[int, dict[str, Any]]


def finetune_seeds(settings: FinetuneSettings, folder: Path, cache: Path) -> Seeds:
    """Train one teacher after the other, or go on where the trainings of the same folder stopped.

    Parameters
    ----------
    settings : FinetuneSettings
        What to do; `seed` is the first, `seeds` tells how many.
    folder : Path
        Gets a run folder for each seed, `SEEDS_FILE`, and where layers were weighed a picture of that.
    cache : Path
        Where log-mels and downloads are stored.

    Raises
    ------
    InputError
        See :func:`teachers.training.finetune`.
    """
    with in_use(folder):
        runs = tuple(_trained(settings, seed, folder, cache) for seed in settings.all_seeds)
        return _finished(settings, folder, runs)


def _trained(settings: FinetuneSettings, seed: int, folder: Path, cache: Path) -> Run:
    place = seed_folder(folder, seed)
    if (place / RUN_FILE).is_file():
        err.print(f"seed {seed}: {place}, trained before", highlight=False)
        return Run.load(place)
    err.print(f"seed {seed}: {place}", highlight=False)
    return finetune(replace(settings, seed=seed, seeds=1), place, cache, several=settings)


def _finished(settings: FinetuneSettings, folder: Path, runs: tuple[Run, ...]) -> Seeds:
    from teachers.layer_weights import save_picture, weights_of

    weights = [weights_of(run) for run in runs]
    if weights[0]:
        save_picture(weights, run_name(settings), folder, synthetic=runs[0].synthetic)
    found = {layer: spread([by_layer[layer] for by_layer in weights]) for layer in weights[0]}
    seeds = Seeds(folder, runs, spreads([run.validation for run in runs]), found)
    names = [run.path.name for run in runs]
    write_object(folder / SEEDS_FILE, {"runs": names, "validation": seeds.validation, "layer_weights": found})
    return seeds
