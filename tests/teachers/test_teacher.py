import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from lungsound.errors import InputError
from teachers.m2d.config import SIZES, M2DConfig
from teachers.teacher import Teacher, TeacherConfig

ENCODER = M2DConfig(16, 3, 2, (80, 48), (16, 16))


@pytest.mark.parametrize("pooling", ["frames", "tokens"])
@pytest.mark.parametrize("layers", ["all", (1, 3)])
@torch.inference_mode()
def test_output(pooling: str, layers: tuple[int, ...] | str) -> None:
    teacher = Teacher(TeacherConfig(ENCODER, layers, pooling=pooling)).eval()
    output = teacher(torch.randn(4, 1, 101, 80))
    assert output.logits.shape == (4, 2)
    assert output.embedding.shape == (4, teacher.embedding_dim)
    torch.testing.assert_close(output.logits, output.embedding @ teacher.head.weight.T + teacher.head.bias)


@torch.inference_mode()
def test_input_is_time_before_mel() -> None:
    teacher = Teacher(TeacherConfig(ENCODER)).eval()
    x = torch.randn(1, 1, 101, 80)
    grids = teacher.encoder.encode_layers(x.mT)
    torch.testing.assert_close(teacher(x).embedding, teacher.fusion(grids))


@pytest.mark.parametrize("frames", [400, 401, 415])
def test_teacher_from_scratch_hears_the_window_at_once(frames: int) -> None:
    encoder = M2DConfig.of_size("tiny", (80, frames))
    assert frames <= encoder.input_size[1] < frames + 16
    assert encoder.input_size[1] % 16 == 0
    assert (encoder.embed_dim, encoder.depth, encoder.heads) == SIZES["tiny"]


def test_unknown_size() -> None:
    with pytest.raises(InputError, match="tiny, small, base, large"):
        M2DConfig.of_size("huge", (80, 401))


@pytest.mark.parametrize(
    "config",
    [
        TeacherConfig(ENCODER),
        TeacherConfig(ENCODER, (1, 3), learnable=False, pooling="tokens", classes=4),
        TeacherConfig(M2DConfig.of_size("small", (80, 801)), (12,)),
    ],
)
def test_configuration_survives_json(config: TeacherConfig) -> None:
    assert TeacherConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize(
    "change",
    [
        {"encoder": None},
        {"encoder": {"embed_dim": 16}},
        {"encoder": {**TeacherConfig(ENCODER).to_dict()["encoder"], "depth": "3"}},
        {"encoder": {**TeacherConfig(ENCODER).to_dict()["encoder"], "embed_dim": 18}},
        {"encoder": {**TeacherConfig(ENCODER).to_dict()["encoder"], "patch_size": [16]}},
        {"layers": 3},
        {"layers": [9]},
        {"layers": ["1"]},
        {"pooling": "max"},
        {"classes": -1},
        {"learnable": None},
    ],
)
def test_damaged_configuration(change: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(InputError):
        Teacher.load(TeacherConfig(ENCODER).to_dict() | change, tmp_path / "weights.safetensors")


def test_missing_key() -> None:
    values = TeacherConfig(ENCODER).to_dict()
    del values["pooling"]
    with pytest.raises(InputError, match="pooling"):
        TeacherConfig.from_dict(values)


def test_weights_survive_the_disk(tmp_path: Path) -> None:
    torch.manual_seed(0)
    teacher, path = Teacher(TeacherConfig(ENCODER, (2, 3))).eval(), tmp_path / "weights.safetensors"
    teacher.encoder.norm_stats.copy_(torch.tensor([-8.0, 3.0]))
    teacher.save_weights(path)
    loaded = Teacher.load(json.loads(json.dumps(teacher.config.to_dict())), path).eval()
    assert loaded.encoder.logmel == teacher.encoder.logmel
    x = torch.randn(2, 1, 60, 80)
    with torch.inference_mode():
        assert torch.equal(loaded(x).logits, teacher(x).logits)


def test_damaged_weights(tmp_path: Path) -> None:
    config, path = TeacherConfig(ENCODER), tmp_path / "weights.safetensors"
    with pytest.raises(InputError, match="missing"):
        Teacher.load(config.to_dict(), path)
    Teacher(config).save_weights(path)
    whole, state = path.read_bytes(), load_file(path)
    for content in (b"", whole[:100], whole[:-1], b"PK\x03\x04" + whole):
        path.write_bytes(content)
        with pytest.raises(InputError, match="not a safetensors file"):
            Teacher.load(config.to_dict(), path)
    for change, reason in (
        ({"head.bias": torch.zeros(3)}, "head.bias does not fit"),
        ({"more": torch.zeros(3)}, "more does not fit"),
        ({"head.bias": torch.tensor([0.0, torch.inf])}, "head.bias holds a value that is not finite"),
    ):
        save_file(state | change, path)
        with pytest.raises(InputError, match=reason):
            Teacher.load(config.to_dict(), path)
