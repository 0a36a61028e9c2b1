"""MobileNetV3 as a student: the published weights over frames and mels."""

import os
from pathlib import Path

import pytest
import torch

from lungsound.errors import InputError
from lungsound.networks.mobilenet import MobileNetV3
from students.student import Student, StudentConfig

SHARED = Path(os.environ.get("AUSCULT_SHARED", Path(__file__).parents[2].parent / "shared"))
PUBLISHED = SHARED / "data" / "weights" / "mn04_as_mAP_432.pt"


@pytest.mark.usefixtures("shared")
@torch.inference_mode()
def test_it_starts_from_the_published_file_and_sees_what_that_sees():
    published = MobileNetV3(0.4).eval()
    state = torch.load(PUBLISHED, weights_only=True)
    published.load_state_dict({name: value for name, value in state.items() if name.startswith("features.")})
    student = Student(StudentConfig(trunk="mobilenetv3", width=0.4)).eval()
    assert student.start_from(PUBLISHED).licence == "MIT"
    x = torch.randn(2, 1, 70, 128)
    torch.testing.assert_close(student.features(x), published(x.mT).mT, rtol=1e-4, atol=1e-4)


@pytest.mark.usefixtures("shared")
def test_another_width_is_refused_with_the_one_that_fits():
    sentence = r"mn04_as_mAP_432.pt: holds a MobileNetV3 of width 0.4, the student's is 0.5; give it --width 0.4"
    with pytest.raises(InputError, match=sentence):
        Student(StudentConfig(trunk="mobilenetv3", width=0.5)).start_from(PUBLISHED)
