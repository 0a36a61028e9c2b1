"""Published weights a teacher may start from: where they are, what they expect, under which licence."""

import shutil
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pooch

from lungsound.errors import InputError
from lungsound.files.atomic import whole_folder
from lungsound.files.cache import cache_folder
from lungsound.terminal import err
from teachers.m2d import NORM_STATS

NTT_LICENCE = "NTT software evaluation licence (non-commercial); read LICENSE.pdf at https://github.com/nttcslab/m2d"
"""The licence of M2D's code and weights; it goes with every student distilled from them."""

RELEASES = "https://github.com/nttcslab/{repository}/releases/download/{release}/{name}.zip"


@dataclass(frozen=True, slots=True)
class TeacherCard:
    """Where the weights of a teacher come from.

    Attributes
    ----------
    name : str
        As published: it carries the encoder's configuration.
    url : str
        Of the published archive; empty for a teacher trained from scratch.
    licence : str
        Of the weights, and of what is made from them.
    paper : str
        What to cite.
    note : str
        What the weights have heard.
    logmel : str
        Name of their log-mel specification.
    statistics : tuple of float, optional
        Mean and standard deviation of their log-mels; None where only the file tells.
    sha256 : str, optional
        Of the weights file, where it is known.
    """

    name: str
    url: str
    licence: str
    paper: str
    note: str
    logmel: str = "m2d"
    statistics: tuple[float, float] | None = None
    sha256: str | None = None

    @property
    def file(self) -> str:
        """Name of the published archive."""
        return self.url.rpartition("/")[2]

    def credit(self) -> dict[str, str]:
        """Return what a run stores of its teacher: name, licence, paper, note, and where the weights come from."""
        weights = self.url or "trained from scratch"
        return {
            "name": self.name,
            "licence": self.licence,
            "paper": self.paper,
            "note": self.note,
            "weights": weights,
        }

    def fetch(self) -> Path:
        """Return the weights file in the cache, downloaded and unpacked by the first call.

        Raises
        ------
        InputError
            If it cannot be downloaded, or is not what was published.
        """
        folder = cache_folder() / "teachers" / self.name
        if not any(folder.glob("*.pth")):
            archive = self._download(folder.parent)
            self._unpack(archive, folder)
            archive.unlink()
        return next(folder.glob("*.pth"))

    def _download(self, folder: Path) -> Path:
        err.print(f"downloading {self.url}\nlicence: {self.licence}", highlight=False)
        try:
            archive = pooch.retrieve(
                self.url, known_hash=None, fname=self.file, path=folder, progressbar=err.is_terminal
            )
        except (OSError, ValueError) as error:  # what requests raises is an OSError
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise InputError(
                f"{self.url}: cannot be downloaded ({reason}); fetch and unpack it by hand and give the "
                ".pth file in its folder with --weights"
            ) from error
        return Path(archive)

    def _unpack(self, archive: Path, folder: Path) -> None:
        try:
            with zipfile.ZipFile(archive) as content, whole_folder(folder) as temporary:
                (member,) = (name for name in content.namelist() if name.endswith(".pth"))
                weights = temporary / Path(member).name
                with content.open(member) as source, weights.open("wb") as target:
                    shutil.copyfileobj(source, target)
                if self.sha256 is not None and pooch.file_hash(str(weights)) != self.sha256:
                    raise ValueError("its checksum is another one")
        except InputError:  # the disk is full
            raise
        except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, ValueError) as error:
            archive.unlink()
            raise InputError(
                f"{self.url}: is not the published archive ({error}); try again, or give a .pth file with --weights"
            ) from error


def scratch_card(size: str, data: Sequence[str]) -> TeacherCard:
    """Return the card of a teacher that is trained from scratch.

    Parameters
    ----------
    size : str
        A key of `m2d_names.SIZES`.
    data : sequence of str
        The corpora it is trained on.
    """
    return TeacherCard(
        name=f"{size}-from-scratch",
        url="",
        licence="Apache-2.0",
        paper="this project",
        note=f"an M2D encoder of size {size} without pre-training, trained on {', '.join(data)}",
    )


def _published(
    name: str,
    release: str,
    paper: str,
    note: str,
    *,
    repository: str = "m2d",
    statistics: tuple[float, float] | None = None,
    sha256: str | None = None,
) -> TeacherCard:
    url = RELEASES.format(repository=repository, release=release, name=name)
    logmel = "m2d_32k" if "p32k-" in name else "m2d"
    return TeacherCard(name, url, NTT_LICENCE, paper, note, logmel, statistics, sha256)


_M2D = "Niizumi et al., Masked Modeling Duo, ICASSP 2023, doi:10.1109/ICASSP49357.2023.10097236"
_M2D_X = "Niizumi et al., Towards a Universal Audio Pre-training Framework, TASLP 2024, doi:10.1109/TASLP.2024.3389636"
_M2D_S = "Niizumi et al., Masked Modeling Duo for Speech, Interspeech 2023, doi:10.21437/Interspeech.2023-221"
_M2D_CLAP = "Niizumi et al., M2D-CLAP, Interspeech 2024, arXiv:2406.02032"
_M2D_RESP = "Niizumi et al., Towards Pre-training an Effective Respiratory Audio Foundation Model, Interspeech 2025"

CARDS = {
    card.name: card
    for card in (
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
            sha256="63578974bc004ef57a8e5456bac8c684f62c9285537a7b2ddef13b442386786f",
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
}
"""Published weights by name."""

ALIASES = {"m2dx": "m2d_vit_base-80x608p16x16p16k-250826-AS+Resp400K"}
"""Short names. ``m2dx`` is M2D's further pre-training on lung sounds, the only one of which weights are published."""


def card_of(name: str) -> TeacherCard:
    """Return the card of a published name or of an alias.

    Raises
    ------
    InputError
        If there is none; the sentence lists them.
    """
    known = ALIASES.get(name, name)
    if known not in CARDS:
        raise InputError(f"no teacher called {name!r}; choose one of {', '.join([*ALIASES, *CARDS])}")
    return CARDS[known]
