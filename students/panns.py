"""How a student starts from PANNs' published CNN6."""

from pathlib import Path

from lungsound.errors import InputError
from lungsound.networks.panns import load_panns_cnn6
from students.student import Student


def initialise_from_panns(student: Student, path: Path) -> None:
    """Copy the trunk of a published CNN6 into a student of full width; its head stays as it is.

    The published trunk sees log-mels normalised band by band, a student's are normalised by one mean and deviation:
    close enough to start training from.

    Raises
    ------
    InputError
        If the file is no CNN6, or the student has other widths.
    """
    network = load_panns_cnn6(path)
    if student.trunk.widths != network.widths:
        raise InputError(
            f"{path}: PANNs' CNN6 has {network.widths} channels, the student {student.trunk.widths}; "
            "only a student of width 1 can start from it"
        )
    trunk = {name: value for name, value in network.state_dict().items() if name.startswith("conv_block")}
    student.trunk.load_state_dict(trunk)
