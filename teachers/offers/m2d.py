"""M2D: the sizes that are trained from scratch, and the cards of its releases."""

from teachers.cards import TeacherCard
from teachers.m2d.config import NORM_STATS
from teachers.offers import Offer

NTT_LICENCE = "NTT software evaluation licence (non-commercial); read LICENSE.pdf at https://github.com/nttcslab/m2d"
"""The licence of M2D's code and weights; it goes with every student distilled from them."""

RELEASES = "https://github.com/nttcslab/{repository}/releases/download/{release}/{name}.zip"


def _published(
    name: str,
    release: str,
    paper: str,
    note: str,
    *,
    repository: str = "m2d",
    statistics: tuple[float, float] | None = None,
    hash: str | None = None,
) -> TeacherCard:
    url = RELEASES.format(repository=repository, release=release, name=name)
    logmel = "m2d_32k" if "p32k-" in name else "m2d"
    return TeacherCard(name, url, NTT_LICENCE, paper, note, logmel, statistics, hash)


_M2D = "Niizumi et al., Masked Modeling Duo, ICASSP 2023, doi:10.1109/ICASSP49357.2023.10097236"
_M2D_X = "Niizumi et al., Towards a Universal Audio Pre-training Framework, TASLP 2024, doi:10.1109/TASLP.2024.3389636"
_M2D_S = "Niizumi et al., Masked Modeling Duo for Speech, Interspeech 2023, doi:10.21437/Interspeech.2023-221"
_M2D_CLAP = "Niizumi et al., M2D-CLAP, Interspeech 2024, arXiv:2406.02032"
_M2D_RESP = "Niizumi et al., Towards Pre-training an Effective Respiratory Audio Foundation Model, Interspeech 2025"

CARDS = (
    _published(
        "m2d_vit_base-80x608p16x16p16k-250826-AS+Resp400K",
        "0.1.0",
        _M2D_RESP,
        "M2D+Resp: AudioSet, then AudioSet with CoughVID, HF_Lung_V2 and the training half of ICBHI 2017",
        repository="eval-audio-repr",
    ),
    _published(
        "m2d_vit_base-80x200p16x4-230529",
        "v0.1.0",
        _M2D_X,
        "AudioSet, 40 ms frames: what M2D-X for ICBHI 2017 and SPRSound started from; with optimizer, 1.7 GB",
        hash="sha256:63578974bc004ef57a8e5456bac8c684f62c9285537a7b2ddef13b442386786f",
    ),
    _published("m2d_vit_base-80x608p16x16-221006-mr7_enconly", "v0.1.0", _M2D, "AudioSet", statistics=NORM_STATS),
    _published("m2d_vit_base-80x608p16x16-220930-mr7_enconly", "v0.1.0", _M2D, "AudioSet", statistics=NORM_STATS),
    _published(
        "m2d_vit_base-80x608p16x16-221006-mr7", "v0.1.0", _M2D, "AudioSet; with optimizer", statistics=NORM_STATS
    ),
    _published(
        "m2d_vit_base-80x608p16x16-221006-mr6", "v0.1.0", _M2D, "AudioSet; with optimizer", statistics=NORM_STATS
    ),
    _published(
        "m2d_vit_base-80x1001p16x16-221006-mr7_as_46ab246d",
        "v0.3.0",
        _M2D_X,
        "AudioSet, fine-tuned on its labels",
        statistics=NORM_STATS,
    ),
    _published("m2d_as_vit_base-80x608p16x16-240213", "v0.1.0", _M2D_X, "AudioSet and its labels"),
    _published(
        "m2d_as_vit_base-80x1001p16x16-240213_AS-FT_enconly", "v0.3.0", _M2D_X, "AudioSet, fine-tuned on its labels"
    ),
    _published("m2d_as_vit_base-80x608p16x16p32k-240413_enconly", "v0.1.0", _M2D_X, "AudioSet at 32 kHz"),
    _published(
        "m2d_as_vit_base-80x1001p16x16p32k-240413_AS-FT_enconly",
        "v0.3.0",
        _M2D_X,
        "AudioSet at 32 kHz, fine-tuned on its labels",
    ),
    _published("m2d_clap_vit_base-80x608p16x16-240128", "v0.1.0", _M2D_CLAP, "AudioSet and captions"),
    _published(
        "m2d_clap_vit_base-80x1001p16x16-240128_AS-FT_enconly",
        "v0.3.0",
        _M2D_CLAP,
        "AudioSet and captions, fine-tuned on its labels",
    ),
    _published("m2d_s_vit_base-80x608p80x2-230220", "v0.2.0", _M2D_S, "LibriSpeech and AudioSet, 6 s"),
    _published("m2d_s_vit_base-80x512p80x2-230301", "v0.2.0", _M2D_S, "LibriSpeech and AudioSet, 5 s"),
    _published("m2d_s_vit_base-80x400p80x2-230201", "v0.2.0", _M2D_S, "LibriSpeech and AudioSet, 4 s"),
)
"""Published weights."""

ALIASES = {"m2dx": "m2d_vit_base-80x608p16x16p16k-250826-AS+Resp400K"}
"""Short names. ``m2dx`` is M2D's further pre-training on lung sounds, the only one of which weights are published."""

FROM_SCRATCH = ("tiny", "small")
"""Sizes that two cores can train."""

OFFER = Offer("m2d", ", ".join(FROM_SCRATCH), FROM_SCRATCH[0], CARDS, ALIASES)
