"""What a pre-training starts from, and what its result is called."""

from dataclasses import replace
from pathlib import Path

from teachers.cards import TeacherCard
from teachers.encoder import find
from teachers.m2d.checkpoints import published_name as name_of_file
from teachers.m2d.config import M2DConfig
from teachers.m2d.duo import PREDICTORS, Duo, DuoConfig
from teachers.m2d.full_checkpoints import published_folder, read_duo
from teachers.m2d.names import M2DName
from teachers.pretraining.offline import OfflineTeacher
from teachers.pretraining.settings import PretrainSettings

_PAPERS = {
    "none": "Niizumi et al., Masked Modeling Duo, ICASSP 2023",
    "mae": "Niizumi et al., Masked Spectrogram Modeling using Masked Autoencoders, HEAR 2021",
    "x": "Niizumi et al., Towards a Universal Audio Pre-training Framework, TASLP 2024",
}


def start_of(settings: PretrainSettings, teacher: OfflineTeacher | None) -> tuple[Duo, tuple[float, float] | None]:
    """Make what is trained, and the statistics of its weights where these shall normalise.

    Parameters
    ----------
    settings : PretrainSettings
        What the training is told.
    teacher : OfflineTeacher, optional
        Of the offline branch.

    Raises
    ------
    InputError
        If the weights cannot be read, or size and patch do not suit.
    """
    offline = len(settings.data.labels) if settings.offline == "labels" else teacher.features if teacher else 0
    if settings.weights is not None:
        duo = read_duo(Path(settings.weights), settings.variant, settings.averaged, offline)
        mean, std = duo.norm_stats.tolist()
        return duo, (mean, std) if settings.statistics == "weights" else None
    mels = settings.data.listening().logmel.n_mels
    config = M2DConfig.of_size(settings.size, (mels, settings.frames), (settings.patch[0], settings.patch[1]))
    if (rate := settings.data.listening().logmel.sample_rate) == 32000:
        config = replace(config, sample_rate=rate)
    duo = Duo(DuoConfig(config, PREDICTORS[settings.size], settings.variant, settings.averaged, offline))
    if settings.target_start == "online":
        duo.copy_to_target()
    return duo, None


def model_of(settings: PretrainSettings) -> str:
    """Return the model class of published names, without size: what was trained by which losses."""
    if settings.variant != "m2d":
        return {"mae": "msm_mae", "all-patches": "m2d_all"}[settings.variant]
    return {"none": "m2d", "labels": "m2d_as"}.get(settings.offline, "m2d_x")


def published_name(settings: PretrainSettings, duo: Duo) -> str:
    """Return the folder of checkpoints in the published layout; options that are not the usual ones have a code."""
    usual = PretrainSettings(data=settings.data)
    codes = (
        ("tau", "ema"),
        ("mask_ratio", "mr"),
        ("seed", "s"),
        ("warm_up", "wu"),
        ("base_learning_rate", "blr"),
        ("batch_size", "bs"),
        ("accumulate", "a"),
        ("loss_weight", "lm"),
        ("offline_weight", "lo"),
        ("min_clips", "dn"),
    )
    said = [
        f"{code}{getattr(settings, name):g}" for name, code in codes if getattr(settings, name) != getattr(usual, name)
    ]
    said += [f"nr{settings.noise_share:g}"] if settings.noise else []
    options = "".join(part.replace("-", "m") for part in said) + f"-e{settings.epochs}"
    return published_folder(model_of(settings), size_of(settings), duo.config, settings.date, options.strip("-"))


def size_of(settings: PretrainSettings) -> str:
    """Return the size of the encoder: that of the weights that it starts from, or what was asked for."""
    if settings.weights is None:
        return settings.size
    return M2DName.parse(name_of_file(Path(settings.weights))).size


def run_name(settings: PretrainSettings) -> str:
    """Return what the run folder of a pre-training is called."""
    name = f"{model_of(settings)}-{size_of(settings)}-pretrained"
    return name.replace("_", "-") + ("-further" if settings.weights else "")


def credit(settings: PretrainSettings) -> dict[str, str]:
    """Return what a run stores of its encoder; one that goes on from published weights keeps their licence."""
    heard = ", ".join(settings.data.data)
    kind = "mae" if settings.variant == "mae" else "none" if settings.offline == "none" else "x"
    card = TeacherCard(run_name(settings), "", "Apache-2.0", _PAPERS[kind], f"pre-trained on {heard}")
    if settings.weights is None:
        return card.credit()
    source = name_of_file(Path(settings.weights))
    known = {other.name: other for other in find("m2d")[0].cards}
    licence = known[source].licence if source in known else "that of the weights that it started from"
    return card.credit() | {"licence": licence, "weights": f"{source}, {card.note}"}


def describe(settings: PretrainSettings) -> str:
    """Say in words what is pre-trained, and how."""
    start = f"from {settings.weights}" if settings.weights else "from scratch"
    said = f"{model_of(settings)} of size {size_of(settings)} {start}, on {', '.join(settings.data.data)}"
    said += f", with noise of {', '.join(settings.noise)}" if settings.noise else ""
    return f"{said}; {settings.precision}, {settings.processes} process" + ("es" if settings.processes > 1 else "")
