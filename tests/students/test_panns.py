import os

import numpy as np
import pytest
import torch
from published_panns import published_file

from lungsound.errors import InputError
from lungsound.networks.cards import PANNS
from lungsound.networks.cnn6 import Cnn6
from lungsound.networks.cnn14 import Cnn10, Cnn14
from lungsound.networks.panns import TRUNKS, load_panns
from lungsound.networks.resnet22 import ResNet22
from lungsound.networks.trunk import scaled_widths
from students.registry import family
from students.student import Student, StudentConfig


def test_front_end_is_skipped_and_shapes_come_from_the_file(tmp_path):
    path = tmp_path / "Cnn6.pth"
    state = published_file(path)
    network = load_panns(path, Cnn6).network
    assert network.trunk.widths == (8, 16, 24, 32)
    assert not network.training
    for name, value in network.published_state().items():
        assert torch.equal(value, state[name])


def test_a_student_of_full_width_starts_from_the_trunk(tmp_path):
    path = tmp_path / "Cnn6.pth"
    state = published_file(path, widths=(64, 128, 256, 512))
    student = Student(StudentConfig(width=1))
    head = student.head.score.weight.clone()
    student.start_from(path)
    for name, value in student.trunk.state_dict().items():
        assert torch.equal(value, state[name])
    assert torch.equal(student.head.score.weight, head)


def narrow(kind):
    return scaled_widths(kind.published, 1 / 16)


@pytest.mark.parametrize("kind", TRUNKS, ids=lambda kind: kind.title)
def test_every_trunk_starts_from_its_own_file(kind, tmp_path):
    path = tmp_path / "weights.pth"
    state = published_file(path, narrow(kind), kind)
    student = Student(StudentConfig(trunk=kind.family(), width=1 / 16))
    card = student.start_from(path)
    assert card == PANNS[kind.family()][0]
    assert (card.licence, card.url.startswith("https://zenodo.org/records/3987831/files/")) == (
        "CC BY 4.0 (weights), MIT (code)",
        True,
    )
    own = student.trunk.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in own.items())
    left_out = {name.partition(".")[0] for name in state.keys() - own.keys()} - {"bn0", "fc1", "fc_audioset"}
    assert left_out == ({"conv_block_after1"} if kind is ResNet22 else set())


@pytest.mark.parametrize("kind", TRUNKS, ids=lambda kind: kind.title)
def test_a_file_of_another_family_is_named(kind, tmp_path):
    path = tmp_path / "weights.pth"
    published_file(path, narrow(kind), kind)
    other = Cnn10 if kind is Cnn6 else Cnn6
    with pytest.raises(InputError, match=f"PANNs' {kind.title}, not {other.title}; name {kind.family()}, or get Cnn"):
        Student(StudentConfig(trunk=other.family(), width=1 / 16)).start_from(path)


def test_a_file_of_efficientat_is_named(shared):
    published = shared / "data" / "weights" / "mn04_as_mAP_432.pt"
    with pytest.raises(InputError, match="holds EfficientAT's MobileNetV3, not CNN6; name mobilenetv3, or get"):
        Student(StudentConfig(width=1)).start_from(published)


def test_a_file_of_panns_is_no_mobilenetv3(tmp_path):
    published_file(tmp_path / "weights.pth")
    with pytest.raises(InputError, match="as PANNs publish it, no MobileNetV3; name its family, or get mn04_as"):
        Student(StudentConfig(trunk="mobilenetv3", width=0.4)).start_from(tmp_path / "weights.pth")


@pytest.mark.parametrize(("logmel", "file"), [("panns_16k", "Cnn14_16k_mAP=0.438.pth"), ("panns_8k", "Cnn14_8k_")])
def test_the_filters_in_a_file_tell_which_it_is(logmel, file, tmp_path):
    published_file(tmp_path / "renamed.pth", narrow(Cnn14), Cnn14, logmel)
    card = load_panns(tmp_path / "renamed.pth", Cnn14).card
    assert (card.logmel, card.file.startswith(file)) == (logmel, True)


def test_without_filters_the_name_tells_which_file_it_is(tmp_path):
    path = tmp_path / "Cnn14_8k_mAP=0.416.pth"
    published_file(path, narrow(Cnn14), Cnn14, **{"logmel_extractor.melW": torch.zeros(3, 64, dtype=torch.bfloat16)})
    assert load_panns(path, Cnn14).card.logmel == "panns_8k"
    path.rename(tmp_path / "renamed.pth")
    assert load_panns(tmp_path / "renamed.pth", Cnn14).card.logmel == "panns_32k"


@pytest.mark.parametrize(
    ("widths", "said"),
    [((64, 128, 256, 512), "the student .*; give --width 1$"), ((8, 16, 24, 40), "; name a file of this width$")],
)
def test_a_student_of_another_width_is_refused(widths, said, tmp_path):
    path = tmp_path / "Cnn6.pth"
    published_file(path, widths=widths)
    with pytest.raises(InputError, match=said):
        Student(StudentConfig(width=0.25)).start_from(path)


@pytest.mark.parametrize("kind", TRUNKS, ids=lambda kind: kind.title)
@torch.inference_mode()
def test_shapes_of_the_feature_map(kind):
    """At the smallest input, at an odd one, and with a smaller one refused."""
    trunk = family(kind.family()).make(1 / 16, 0.0).eval()
    least, halvings = family(kind.family()).card.smallest_input, max(kind.halvings)
    for frames, mels in ((least, least), (2 * least + 3, least + 1)):
        expected = (1, trunk.channels, frames >> halvings, mels >> halvings)
        assert trunk(torch.zeros(1, 1, frames, mels)).shape == expected
    with pytest.raises(InputError, match=f"at least {least}"):
        trunk(torch.zeros(1, 1, least, least - 1))


SIZES = {"cnn6": (4.304, 4.32), "resnet22": (11.205, 11.22), "cnn14": (75.477, 75.53), "mobilenetv2": (2.223, 2.25)}
"""Millions of parameters of PANNs' trunks, and of these with attention for 24 rows as the Multi-breath paper tells."""


@pytest.mark.parametrize("name", SIZES)
def test_sizes_are_those_of_the_multi_breath_paper(name):
    with torch.device("meta"):
        student = Student(StudentConfig(trunk=name, width=1, heads=6, classes=4))
    trunk, whole = (sum(p.numel() for p in module.parameters()) / 1e6 for module in (student.trunk, student))
    assert round(trunk, 3) == SIZES[name][0]
    assert whole == pytest.approx(SIZES[name][1], abs=0.006)


class Harmful:
    def __reduce__(self):
        return os.system, ("exit 1",)


@pytest.mark.parametrize(
    "content",
    [
        {"model": Harmful()},
        {"model": {3: torch.zeros(1)}},
        [1, 2],
        {"weights": {}},
        {"model": {"bn0.weight": 3}},
        {"model": {}},
        torch.zeros(3),
    ],
)
def test_something_else_in_the_file(tmp_path, content):
    path = tmp_path / "Cnn6.pth"
    torch.save(content, path)
    with pytest.raises(InputError, match=r"Cnn6\.pth: "):
        load_panns(path, Cnn6)


@pytest.mark.parametrize("content", [b"", b"RIFF....WAVE", b"PK\x03\x04 cut"])
def test_no_checkpoint_at_all(tmp_path, content):
    path = tmp_path / "Cnn6.pth"
    path.write_bytes(content)
    with pytest.raises(InputError, match="not a file of tensors alone"):
        load_panns(path, Cnn6)


def test_a_file_cut_in_the_middle(tmp_path):
    path = tmp_path / "Cnn6.pth"
    published_file(path)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(InputError, match="not a file of tensors alone"):
        load_panns(path, Cnn6)


@pytest.mark.parametrize(
    "changes",
    [
        {"conv_block2.conv1.weight": torch.zeros(16, 9, 5, 5)},
        {"extra.weight": torch.zeros(1)},
        {"conv_block1.conv1.weight": torch.tensor(0.0)},
        {"fc1.bias": torch.full((32,), np.nan)},
        {"bn0.weight": torch.ones(1).expand(10**9)},
        {"bn0.weight": torch.ones(64).to_sparse()},
        {"conv_block1.conv1.weight": torch.zeros(10**12, 0)},
        {"conv_block1.conv1.weight": torch.zeros(8, 1, 5, 5, dtype=torch.int64)},
    ],
)
def test_tensors_that_are_no_cnn6(tmp_path, changes):
    path = tmp_path / "Cnn6.pth"
    published_file(path, **changes)
    with pytest.raises(InputError, match=r"Cnn6\.pth: "):
        load_panns(path, Cnn6)


def test_a_missing_file_says_where_to_get_it(tmp_path):
    with pytest.raises(InputError, match="3987831"):
        load_panns(tmp_path / "none.pth", Cnn6)
