"""A bundle as it is shipped: without the float and ONNX models, with a card that says what it is worth."""

from pathlib import Path

from export.bundle.evidence import Evidence
from export.bundle.manifest import CARD_FILE, ONNX_FLOAT_FILE, ONNX_INT8_FILE
from export.bundle.opening import Bundle
from export.bundle.writing import with_card, write_into
from lungsound.files.atomic import whole_folder

_LEFT_OUT = (CARD_FILE, ONNX_FLOAT_FILE, ONNX_INT8_FILE)


def ship(bundle: Bundle, evidence: Evidence, folder: Path) -> Bundle:
    """Write what is shipped of a bundle.

    Parameters
    ----------
    bundle : Bundle
        With a .tflite.
    evidence : Evidence
        For its card.
    folder : Path
        Where it shall stand; an earlier one is replaced.

    Returns
    -------
    Bundle
        Read back from disk.

    Raises
    ------
    InputError
        If it cannot be written there.
    """
    contents = {name: content for name, content in bundle.contents.items() if name not in _LEFT_OUT}
    manifest = with_card(bundle.manifest, contents, evidence)
    with whole_folder(folder) as temporary:
        write_into(temporary, manifest, contents)
    return Bundle.open(folder)
