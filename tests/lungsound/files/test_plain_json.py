"""JSON that anybody may have written."""

import pytest

from lungsound.errors import InputError
from lungsound.files.plain_json import dumps, loads


@pytest.mark.parametrize(
    "text",
    ['{"a": "\\ud800"}', '{"\\udbff": 1}', '{"a": ["\\udc00"]}', '{"a": 1e999}', "[" * 5000],
)
def test_what_no_file_can_be_named_and_no_number_can_be_is_refused(text):
    with pytest.raises(InputError, match=r"^not JSON \("):
        loads(text)


def test_a_name_that_is_no_text_comes_back():
    name = b"ger\xe4usche".decode(errors="surrogateescape")
    assert loads(dumps({"data": [name]})) == {"data": [name]}
