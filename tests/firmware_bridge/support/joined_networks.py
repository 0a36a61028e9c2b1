"""Several generated networks in one unit of C, each with names of its own, so that one program runs them all."""

import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from quick_tables import with_quick_tables

from firmware_bridge.folder.emit import write_network
from firmware_bridge.plan.network import Network

_OF_A_FILE = re.compile(r"^static\b[^=({\[;]*\b(\w+)(?=\[| =|\(|;)", re.MULTILINE)
_OF_A_NETWORK = re.compile(r"\b(?:net|NET)_\w+")
_WORD = re.compile(r"(?<![\w.>])[A-Za-z]\w*")
_OWN_HEADER = '#include "net.h"\n'
_NUMBER = re.compile(r"(#define (AU_\w+) )(\d+)")
_COMPARED = re.compile(r"\b(AU_[A-Z_]+) (?:[<>]=?|[=!]=) (\d+)")


def join_networks(
    networks: Sequence[Network], folder: Path, caller: str, last: str
) -> Iterator[tuple[Path, tuple[int, ...]]]:
    """Write the sources of programs that hold all networks; yield the folder of each with the networks' indices.

    All constants that kernels are compiled with are the largest that a network of the program needs. Where a kernel
    compares one with a number, networks that differ in the answer do not meet in a program.

    Parameters
    ----------
    networks : sequence of Network
        With the same kernels and rounding.
    folder : Path
        Where to write.
    caller : str
        C behind each net.c, whose names are its network's own, too.
    last : str
        C behind all of them, to which ``EACH(DO)`` is ``DO(prefix)`` of every network.
    """
    alone = [folder / str(index) for index in range(len(networks))]
    alike: dict[tuple[bool, ...], list[int]] = {}
    for index, (network, place) in enumerate(zip(networks, alone, strict=True)):
        place.mkdir(parents=True)
        write_network(place, network)
        with_quick_tables(place)
        alike.setdefault(_answers(place), []).append(index)
    for number, indices in enumerate(alike.values()):
        together = folder / f"together_{number}"
        together.mkdir()
        _join([alone[index] for index in indices], together, caller, last)
        yield together, tuple(indices)


def _answers(place: Path) -> tuple[bool, ...]:
    """Whether each constant of au_config.h exceeds what a kernel of the folder compares it with."""
    numbers = {name: int(number) for _, name, number in _NUMBER.findall((place / "au_config.h").read_text())}
    compared = {pair for path in place.glob("au_*.[ch]") for pair in _COMPARED.findall(path.read_text())}
    return tuple(numbers[name] > int(number) for name, number in sorted(compared) if name in numbers)


def _join(places: Sequence[Path], folder: Path, caller: str, last: str) -> None:
    units, configs = [], []
    for index, place in enumerate(places):
        for path in place.glob("au_*"):
            shutil.copyfile(path, folder / path.name)
        text = f"{(place / 'net.h').read_text()}{(place / 'net.c').read_text()}{caller}".replace(_OWN_HEADER, "")
        units.append(_named(text, f"n{index}"))
        configs.append((place / "au_config.h").read_text())
    each = "".join(f" DO(n{index})" for index in range(len(places)))
    (folder / "networks.c").write_text(f"{''.join(units)}#define EACH(DO){each}\n{last}")
    (folder / "au_config.h").write_text(_largest(configs))


def _named(text: str, prefix: str) -> str:
    """Put the prefix before every name that is the file's or the network's own; members of structures keep theirs."""
    names = {*_OF_A_FILE.findall(text), *_OF_A_NETWORK.findall(text)}
    return _WORD.sub(lambda found: f"{prefix}_{found[0]}" if found[0] in names else found[0], text)


def _largest(configs: Sequence[str]) -> str:
    every = [[int(number) for _, _, number in _NUMBER.findall(config)] for config in configs]
    most = iter([max(numbers) for numbers in zip(*every, strict=True)])
    made = _NUMBER.sub(lambda found: f"{found[1]}{next(most)}", configs[0])
    assert {_NUMBER.sub(r"\1", config) for config in configs} == {_NUMBER.sub(r"\1", made)}
    return made
