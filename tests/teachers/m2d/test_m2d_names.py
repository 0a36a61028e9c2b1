import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lungsound.errors import InputError
from teachers.m2d.encoder import M2DConfig
from teachers.m2d.names import SIZES, M2DName

counts = st.integers(1, 999)


@given(
    st.sampled_from(["m2d", "m2d_x", "m2d_as", "m2d_s", "m2d_clap", "msm_mae"]),
    st.sampled_from(sorted(SIZES)),
    st.tuples(counts, counts, counts, counts),
    st.sampled_from(["", "p16k", "p32k", "p16kpBpTI"]),
    st.text(st.characters(exclude_characters="\n"), max_size=20),
)
def test_published_grammar(family: str, size: str, sizes: tuple[int, ...], rate: str, free: str) -> None:
    mels, frames, patch_mels, patch_frames = sizes
    name = M2DName.parse(f"{family}_vit_{size}-{mels}x{frames}p{patch_mels}x{patch_frames}{rate}-{free}")
    assert name.model == f"{family}_vit_{size}"
    assert name.size == size
    assert (name.input_size, name.patch_size) == ((mels, frames), (patch_mels, patch_frames))
    assert name.sample_rate == (32000 if rate == "p32k" else 16000)


def test_name_without_free_text() -> None:
    assert M2DName.parse("m2d_vit_base-80x608p16x16").config == M2DConfig(768, 12, 12, (80, 608), (16, 16))


@pytest.mark.parametrize(
    "name",
    [
        "",
        "checkpoint-300",
        "m2d_vit_base",
        "m2d-vit-base-80x608p16x16",
        "m2d_vit_base-80x608",
        "m2d_vit_base-80x608p16",
        "m2d_vit_base-80p608p16x16-1",
        "m2d_vit_base-80x999999p16x16-1",
        "m2d_vit_base-80x608p16x16p-1",
    ],
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="not named like a published M2D weight"):
        M2DName.parse(name)


def test_unknown_size_and_rate_say_what_is_known() -> None:
    with pytest.raises(InputError, match=re.escape(", ".join(SIZES))):
        M2DName.parse("m2d_vit_huge-80x608p16x16-1")
    with pytest.raises(InputError, match="44000 Hz"):
        M2DName.parse("m2d_vit_base-80x608p16x16p44k-1")


def test_name_of_an_impossible_encoder_is_refused() -> None:
    with pytest.raises(InputError, match="patches must fill the mels"):
        _ = M2DName.parse("m2d_vit_base-80x608p17x16-1").config
    with pytest.raises(InputError, match="fit into the frames"):
        _ = M2DName.parse("m2d_vit_base-80x8p16x16-1").config
