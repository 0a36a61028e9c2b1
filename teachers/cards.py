"""Published weights a teacher may start from: where they are, what they expect, under which licence."""

import shutil
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from lungsound.errors import InputError
from lungsound.files.atomic import whole_folder
from lungsound.files.cache import cache_folder
from lungsound.terminal import err


@dataclass(frozen=True, slots=True)
class TeacherCard:
    """Where the weights of a teacher come from.

    Attributes
    ----------
    name : str
        As published: it carries the encoder's configuration.
    url : str
        Of the published weights, or of a zip archive of them; empty for a teacher trained from scratch.
    licence : str
        Of the weights, and of what is made from them.
    paper : str
        What to cite.
    note : str
        What the weights have heard.
    logmel : str
        Name of their log-mel specification; empty for a teacher trained from scratch.
    statistics : tuple of float, optional
        Mean and standard deviation of their log-mels; None where only the file tells.
    hash : str, optional
        Of the weights file as ``algorithm:digits``, where it is known.
    """

    name: str
    url: str
    licence: str
    paper: str
    note: str
    logmel: str = ""
    statistics: tuple[float, float] | None = None
    hash: str | None = None

    @property
    def file(self) -> str:
        """Name of what is published."""
        return unquote(self.url.rpartition("/")[2])

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
        if not self.file.endswith(".zip"):
            weights = folder / self.file
            if not self._is_there(weights):
                self._accept(self._download(folder))
            return weights
        if not any(map(self._is_there, folder.glob("*.pth"))):
            archive = self._download(folder.parent)
            self._unpack(archive, folder)
            archive.unlink()
        return next(folder.glob("*.pth"))

    def _is_there(self, weights: Path) -> bool:
        """Tell whether a file of the cache is there and has the published checksum, where that is known."""
        try:
            self._check(weights)
        except OSError:
            return False
        except ValueError as error:
            err.print(f"note: {weights}: damaged ({error}); downloaded again", style="yellow", markup=False)
            weights.unlink()
            return False
        return weights.is_file()

    def _download(self, folder: Path) -> Path:
        import pooch

        err.print(f"downloading {self.url}\nlicence: {self.licence}", highlight=False)
        try:
            archive = pooch.retrieve(
                self.url, known_hash=None, fname=self.file, path=folder, progressbar=err.is_terminal
            )
        except (OSError, ValueError) as error:  # what requests raises is an OSError
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise InputError(
                f"{self.url}: cannot be downloaded ({reason}); fetch it by hand (unpack an archive) and give "
                "the file of weights in its folder with --weights"
            ) from error
        return Path(archive)

    def _unpack(self, archive: Path, folder: Path) -> None:
        try:
            with zipfile.ZipFile(archive) as content, whole_folder(folder) as temporary:
                (member,) = (name for name in content.namelist() if name.endswith(".pth"))
                weights = temporary / Path(member).name
                with content.open(member) as source, weights.open("wb") as target:
                    shutil.copyfileobj(source, target)
                self._check(weights)
        except InputError:  # the disk is full
            raise
        except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, ValueError) as error:
            archive.unlink()
            raise InputError(
                f"{self.url}: is not the published archive ({error}); try again, or give a .pth file with --weights"
            ) from error

    def _accept(self, weights: Path) -> None:
        try:
            self._check(weights)
        except ValueError as error:
            weights.unlink()
            raise InputError(
                f"{self.url}: is not what was published ({error}); try again, or give the file with --weights"
            ) from error

    def _check(self, weights: Path) -> None:
        import pooch

        algorithm, _, digits = (self.hash or "").partition(":")
        if digits and pooch.file_hash(str(weights), alg=algorithm) != digits:
            raise ValueError("its checksum is another one")


def scratch_card(encoder: str, size: str, data: Sequence[str]) -> TeacherCard:
    """Return the card of a teacher that is trained from scratch.

    Parameters
    ----------
    encoder : str
        Name of the encoder.
    size : str
        As the encoder calls it.
    data : sequence of str
        The corpora it is trained on.
    """
    return TeacherCard(
        name=f"{encoder}-{size}-from-scratch",
        url="",
        licence="Apache-2.0",
        paper="this project",
        note=f"an encoder {encoder} of size {size} without pre-training, trained on {', '.join(data)}",
    )
