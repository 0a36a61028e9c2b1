"""A student of each family with random weights, exported once for all tests."""

import numpy as np
from made_once import made_once
from random_student import features_for, float_logits, listening_of, random_student

from export.graph.read import read_graph
from export.tflite.bias import corrected_biases
from export.tflite.float_model import write_graph
from export.tflite.int8_model import int8_tflite
from export.tflite.ranges import calibrate
from students.student import Student

LISTENING = listening_of(70, 33)
"""Odd enough that halvings leave rows and columns out."""
HEARD, UNSEEN = features_for(LISTENING, 8, 5), features_for(LISTENING, 6, 77)


def student_of(family: str) -> Student:
    """A student of few channels."""
    return random_student(LISTENING, trunk=family, heads=2, width=1 / 16)


@made_once
def exported(family: str) -> tuple[bytes, bytes, np.ndarray]:
    """Its float and its int8 .tflite, and torch's logits in float64."""
    student = student_of(family)
    expected = float_logits(student, UNSEEN)
    model = write_graph(read_graph(student, 70, 33))
    ranges = calibrate(model, HEARD)
    # Corrected biases cost half of the time: one family is enough to see what they do.
    corrected = corrected_biases(model, ranges, HEARD) if family == "resnet22" else model
    return model, int8_tflite(corrected, ranges), expected
