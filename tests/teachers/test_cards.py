import hashlib
import io
import re
import socket
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from lungsound.errors import InputError
from lungsound.logmel import SPECS
from teachers.cards import TeacherCard, scratch_card
from teachers.encoder import aliases, card_of
from teachers.m2d.config import LOGMELS
from teachers.m2d.names import M2DName
from teachers.offers.m2d import CARDS

NAME = "m2d_vit_base-80x608p16x16-221006-mr7_enconly"


def test_cards_agree_with_their_names() -> None:
    for card in CARDS:
        name = card.name
        parsed = M2DName.parse(name)
        releases = r"https://github\.com/nttcslab/(m2d|eval-audio-repr)/releases/download/v?\d\.\d\.\d"
        assert re.fullmatch(rf"{releases}/{re.escape(name)}\.zip", card.url)
        assert card.file == f"{name}.zip"
        assert card.logmel == LOGMELS[parsed.sample_rate]
        assert SPECS[card.logmel].n_mels == parsed.input_size[0]
        assert "non-commercial" in card.licence
        assert set(card.credit()) == {"name", "licence", "paper", "note", "weights"}
        assert all(card.credit().values())


def test_alias_and_unknown_name() -> None:
    assert card_of("m2dx") is card_of(aliases()["m2dx"])
    assert card_of(NAME).statistics == (-7.1, 4.2)
    with pytest.raises(InputError, match=re.escape(NAME)):
        card_of("m2d")


def test_card_of_a_teacher_from_scratch() -> None:
    card = scratch_card("m2d", "tiny", ["synthetic", "sprsound:/data"])
    assert card.credit()["licence"] == "Apache-2.0"
    assert card.credit()["weights"] == "trained from scratch"
    assert "synthetic, sprsound:/data" in card.note


def zipped(members: dict[str, bytes]) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as content:
        for name, data in members.items():
            content.writestr(name, data)
    return archive.getvalue()


class Release:
    """A server of one archive that counts how often it was asked."""

    def __init__(self) -> None:
        self.content, self.asked = b"", 0
        release = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                release.asked += 1
                self.send_response(200)
                self.send_header("Content-Length", str(len(release.content)))
                self.end_headers()
                self.wfile.write(release.content)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)

    @property
    def card(self) -> TeacherCard:
        return replace(card_of(NAME), url=f"http://127.0.0.1:{self.server.server_port}/{NAME}.zip")


@pytest.fixture
def release(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Release]:
    monkeypatch.setenv("AUSCULT_CACHE", str(tmp_path / "cache"))
    for proxy in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(proxy, raising=False)
    served = Release()
    thread = threading.Thread(target=served.server.serve_forever, args=(0.01,))
    thread.start()
    yield served
    served.server.shutdown()
    thread.join()
    served.server.server_close()


def test_archive_is_downloaded_and_unpacked_once(release: Release, tmp_path: Path) -> None:
    release.content = zipped({f"{NAME}/": b"", f"{NAME}/checkpoint-300.pth": b"weights", f"{NAME}/README.md": b"read"})
    path = release.card.fetch()
    assert path == release.card.fetch()
    assert path.read_bytes() == b"weights"
    assert path.parent.name == NAME
    assert release.asked == 1
    assert [file for file in (tmp_path / "cache").rglob("*") if file.is_file()] == [path]


def test_archive_elsewhere_cannot_write_outside(release: Release, tmp_path: Path) -> None:
    release.content = zipped({"../../../../evil.pth": b"weights"})
    assert release.card.fetch() == tmp_path / "cache" / "teachers" / NAME / "evil.pth"


@pytest.mark.parametrize(
    "content",
    [
        b"not a zip",
        zipped({"README.md": b""}),
        zipped({"a.pth": b"", "b.pth": b""}),
        zipped({"a.pth": b"x" * 999})[:99],
    ],
    ids=["no zip", "no weights", "two weights", "cut off"],  # bytes as names hold the time of their making
)
def test_another_archive_is_refused_and_not_kept(release: Release, content: bytes, tmp_path: Path) -> None:
    release.content = content
    with pytest.raises(InputError, match=r"is not the published archive.*--weights"):
        release.card.fetch()
    assert not [file for file in (tmp_path / "cache").rglob("*") if file.is_file()]


def test_checksum(release: Release) -> None:
    release.content = zipped({"checkpoint-300.pth": b"weights"})
    with pytest.raises(InputError, match="checksum"):
        replace(release.card, hash="sha256:" + "0" * 64).fetch()
    assert replace(release.card, hash=f"sha256:{hashlib.sha256(b'weights').hexdigest()}").fetch().is_file()


def test_a_damaged_file_of_the_cache_is_downloaded_again(release: Release, capfd: pytest.CaptureFixture[str]) -> None:
    release.content = zipped({"checkpoint-300.pth": b"weights"})
    card = replace(release.card, hash=f"sha256:{hashlib.sha256(b'weights').hexdigest()}")
    path = card.fetch()
    path.write_bytes(b"wfights")
    capfd.readouterr()
    assert card.fetch().read_bytes() == b"weights"
    assert f"note: {path}: damaged (its checksum is another one); downloaded again" in capfd.readouterr().err
    assert release.asked == 2


def test_no_network_names_url_and_way_out(release: Release) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        card = replace(release.card, url=f"http://127.0.0.1:{closed.getsockname()[1]}/{NAME}.zip")
        with pytest.raises(InputError, match=rf"^{re.escape(card.url)}: cannot be downloaded.*--weights$"):
            card.fetch()
