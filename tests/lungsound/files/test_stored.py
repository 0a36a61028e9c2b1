"""What is stored in the cache is made once, and again when it is damaged."""

import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from lungsound.errors import InputError
from lungsound.files.stored import stored_once


@pytest.fixture
def thing(tmp_path):
    """A stored word: its path, how it is opened, how it is made, and how often it was."""
    path, made = tmp_path / "words" / "one", []

    def opened():
        return "word" if path.is_file() and path.read_text() == "word" else None

    def make():
        made.append(True)
        time.sleep(0.2)
        path.parent.mkdir(exist_ok=True)
        path.write_text("word")
        return opened()

    return tmp_path, path, opened, make, made


def test_of_many_at_once_one_makes_it(thing, capfd):
    *call, made = thing
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(lambda _: stored_once(*call), range(4))) == {"word"}
    assert len(made) == 1
    assert "damaged" not in capfd.readouterr().err


def test_a_second_time_it_is_opened(thing):
    *call, made = thing
    assert [stored_once(*call), stored_once(*call)] == ["word", "word"]
    assert len(made) == 1


def test_what_is_damaged_is_named_and_made_again(thing, capfd):
    cache, path, opened, make, made = thing
    path.parent.mkdir()
    path.write_text("ward")
    assert stored_once(cache, path, opened, make) == "word"
    assert len(made) == 1
    assert capfd.readouterr().err == f"note: {path} is damaged; it is made again\n"


def test_a_failure_leaves_it_to_the_next(thing):
    cache, path, opened, make, _ = thing
    with pytest.raises(InputError, match="cannot"):
        stored_once(cache, path, opened, lambda: (_ for _ in ()).throw(InputError("cannot")))
    assert stored_once(cache, path, opened, make) == "word"


def test_a_disk_that_forgets_at_once_is_named(thing):
    cache, path, opened, *_ = thing
    with pytest.raises(InputError, match=re.escape(f"{path}: is not what was written a moment ago")):
        stored_once(cache, path, opened, lambda: None)
