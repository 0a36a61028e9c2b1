"""A bundle's card and digests, and its files in a folder."""

from pathlib import Path

from export.bundle.card import card
from export.bundle.evidence import Evidence
from export.bundle.manifest import CARD_FILE, MANIFEST_FILE, Manifest


def with_card(manifest: Manifest, contents: dict[str, bytes], evidence: Evidence | None = None) -> Manifest:
    """Put the card of a bundle among its files, and return the manifest with the digests of all of them."""
    manifest = manifest.with_files(contents)
    contents[CARD_FILE] = card(manifest, evidence).encode()
    return manifest.with_files(contents)


def write_into(folder: Path, manifest: Manifest, contents: dict[str, bytes]) -> None:
    """Write a bundle's files into a folder that is there."""
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    (folder / MANIFEST_FILE).write_text(manifest.to_json(), encoding="utf-8")
