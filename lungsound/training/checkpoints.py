"""The checkpoints of a training: whole or not at all when they are written, held against their checksums when read."""

import io
import zlib
from pathlib import Path
from typing import Any

from lungsound import cpu_wheels as cpu_wheels  # isort: skip  # before lightning, which imports torchvision

import lightning
import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from lungsound.errors import InputError, first_line
from lungsound.files.atomic import whole_file
from lungsound.files.checksum import CHECK_BYTES, check_line, is_whole
from lungsound.training.weights import UNREADABLE, check_records


class WholeCheckpoints(TorchCheckpointIO):
    """How Lightning writes and reads checkpoints here: the one before stays where a new one cannot be written."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write a checkpoint; the disk sees it in one piece, so that a full one is an OSError and not torch's."""
        content = io.BytesIO()
        torch.save(checkpoint, content)
        content.seek(-2, io.SEEK_END)  # the length of the archive's comment, which torch leaves empty
        content.write(CHECK_BYTES.to_bytes(2, "little"))
        content.write(check_line(zlib.crc32(content.getbuffer())))
        with whole_file(Path(path)) as temporary:
            temporary.write_bytes(content.getbuffer())

    def load_checkpoint(self, path: Any, map_location: Any = "cpu", weights_only: bool | None = None) -> dict[str, Any]:
        """Read a checkpoint, see :func:`read_training_checkpoint`."""
        return read_training_checkpoint(Path(path))


def read_training_checkpoint(path: Path) -> dict[str, Any]:
    """Read what a training wrote; nothing in it is executed.

    Parameters
    ----------
    path : Path
        A zip archive whose comment is its checksum (:mod:`lungsound.files.checksum`); one of an earlier state has
        only those of its records.

    Raises
    ------
    InputError
        If it is damaged.
    """
    try:
        with path.open("rb") as handle:
            if is_whole(handle) is False:
                raise ValueError("its checksum is another")
        check_records(path)
        checkpoint: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        checkpoint["state_dict"].items()
    except UNREADABLE as error:
        raise damaged(path, error) from error
    return checkpoint


def damaged(path: Path, error: BaseException) -> InputError:
    """Return the sentence for a checkpoint that cannot be gone on from."""
    return InputError(f"{path}: damaged ({first_line(error)}); restore it, or remove it and train from the beginning")


class Begun(lightning.Callback):
    """Know whether training has begun, all of a checkpoint being restored."""

    begun = False

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Lightning restores nothing from here on."""
        self.begun = True
