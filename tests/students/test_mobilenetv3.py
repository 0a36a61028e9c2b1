"""MobileNetV3 as a student: the published weights over frames and mels."""

import os
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from lungsound.errors import InputError
from lungsound.networks.mobilenet_tagger import MobileNetTagger
from students.student import Student, StudentConfig

SHARED = Path(os.environ.get("AUSCULT_SHARED", Path(__file__).parents[2].parent / "shared"))
PUBLISHED = SHARED / "data" / "weights" / "mn04_as_mAP_432.pt"


@pytest.mark.usefixtures("shared")
@torch.inference_mode()
def test_it_starts_from_the_published_file_and_sees_what_that_sees():
    """The last map, and with the published head what stands before AudioSet's classes."""
    published = MobileNetTagger(0.4).eval()
    published.load_state_dict(torch.load(PUBLISHED, weights_only=True))
    student = Student(StudentConfig(trunk="mobilenetv3", width=0.4, head="mlp")).eval()
    assert student.start_from(PUBLISHED).licence == "MIT"
    x = torch.randn(2, 1, 70, 128)
    feature_map = published(x.mT)
    torch.testing.assert_close(student.features(x), feature_map.mT, rtol=1e-4, atol=1e-4)
    hidden = functional.hardswish(student.head.hidden(student.features(x).mean((2, 3))))
    torch.testing.assert_close(hidden, published.classifier[:4](feature_map), rtol=1e-4, atol=1e-4)


@pytest.mark.usefixtures("shared")
def test_another_width_is_refused_with_the_one_that_fits():
    sentence = r"mn04_as_mAP_432.pt: holds a MobileNetV3 of width 0.4, the student's is 0.5; give it --width 0.4"
    with pytest.raises(InputError, match=sentence):
        Student(StudentConfig(trunk="mobilenetv3", width=0.5)).start_from(PUBLISHED)
