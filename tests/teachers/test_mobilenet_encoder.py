"""EfficientAT's MobileNetV3 as an encoder: the published file, from sound to the last map."""

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from lungsound.errors import InputError
from lungsound.logmel import log_mel, normalise
from teachers.efficientat import MobileNetConfig, MobileNetEncoder
from teachers.encoder import card_of

SHARED = Path(os.environ.get("AUSCULT_SHARED", Path(__file__).parents[2].parent / "shared"))
PUBLISHED = SHARED / "data" / "weights" / "mn04_as_mAP_432.pt"


@pytest.mark.usefixtures("shared")
@torch.inference_mode()
def test_fixture_from_sound_to_the_last_map():
    folder = SHARED / "reference" / "fixtures" / "efficientat_mn"
    case = json.loads((folder / "fixture.json").read_text())["cases"][0]
    tensors = load_file(folder / case["file"])
    encoder = MobileNetEncoder.read(PUBLISHED).eval()
    heard = normalise(encoder.logmel, log_mel(encoder.logmel, tensors["inputs/wave"].numpy()))
    x = torch.from_numpy(heard).float().mT[:, None]
    torch.testing.assert_close(x[:, 0], tensors["inputs/log_mel"], rtol=1e-4, atol=2e-4)
    grids = encoder.encode_layers(x)
    wanted = {name: value for name, value in tensors.items() if name.startswith("outputs/map_")}
    for name, value in wanted.items():
        grid = grids[int(name.rpartition("_")[2])]
        torch.testing.assert_close(grid, value.permute(0, 2, 3, 1), rtol=1e-3, atol=1e-3 * float(value.abs().max()))
    assert encoder.config == MobileNetConfig(0.4, 128)
    assert MobileNetEncoder.name_of(PUBLISHED) == card_of("mn04").name


def test_strides_are_in_the_name(tmp_path):
    torch.manual_seed(0)
    encoder = MobileNetEncoder(MobileNetConfig(0.1, 128, (2, 2, 1, 1)))
    path = tmp_path / "mn01_as_fc_s2211_mAP_300.pt"
    torch.save(encoder.trunk.state_dict() | {"classifier.0.weight": torch.zeros(3)}, path)
    again = MobileNetEncoder.read(path)
    assert again.config == encoder.config
    assert all(torch.equal(value, encoder.state_dict()[name]) for name, value in again.state_dict().items())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"features.0.0.weight": torch.zeros(8, 1, 5, 5)}, "no MobileNetV3"),
        ({"features.17.weight": torch.zeros(1)}, "no MobileNetV3"),
        ({"features.0.0.weight": 3}, "no MobileNetV3"),
        ({"features.0.1.bias": torch.full((8,), torch.nan)}, "not finite"),
        ({"features.0.1.bias": torch.zeros(1).expand(8)}, "laid out"),
    ],
)
def test_something_else_in_the_file(change, said, tmp_path):
    path = tmp_path / "mn01.pt"
    torch.save(MobileNetEncoder(MobileNetConfig(0.1, 128)).trunk.state_dict() | change, path)
    with pytest.raises(InputError, match=said):
        MobileNetEncoder.read(path)


@pytest.mark.parametrize("content", [[1, 2], {}, {"model": 1}])
def test_no_weights_at_all(content, tmp_path):
    torch.save(content, tmp_path / "mn04.pt")
    with pytest.raises(InputError, match=r"mn04\.pt: no MobileNetV3 of EfficientAT; get mn04_as"):
        MobileNetEncoder.read(tmp_path / "mn04.pt")


@pytest.mark.parametrize("values", [(8, 64), (0.4, 0), (0.4, 64, (2, 2)), (0.4, 64, (3, 2, 2, 2))])
def test_impossible_shapes_are_refused(values):
    with pytest.raises(InputError, match="MobileNetV3 encoder"):
        MobileNetConfig(*values)
