"""`auscult data`: look at a corpus, write it as a table, or make a synthetic one."""

from pathlib import Path
from typing import Annotated, Any

import typer

from lungsound.command import options
from lungsound.command.console import print_json
from lungsound.command.data_option import Corpus, Data
from lungsound.corpora.registry import open_corpus, parse_data, read_corpus, readers
from lungsound.errors import InputError
from lungsound.files.record import Range
from lungsound.terminal import out

MOST_PROBLEMS = 20
"""Problems that are printed; ``--json`` has them all."""

app = typer.Typer(no_args_is_help=True, help="Check a corpus on disk, write it as a table, or make a synthetic one.")


@app.command("list")
def list_command(json_output: options.Json = False) -> None:
    """List the corpora that can be read: what they are, how they lie on disk, terms and paper.

    JSON keys: corpora (a list: name, what, layout, terms, paper, root (folder or file)).
    """
    known = readers().values()
    if json_output:
        keys = ("name", "what", "layout", "terms", "paper", "root")
        print_json({"corpora": [{key: getattr(reader, key) for key in keys} for reader in known]})
        return
    for reader in known:
        out.print(f"{reader.name}: {reader.what}", highlight=False, markup=False)
        for line in (reader.layout, f"terms: {reader.terms}", f"paper: {reader.paper}"):
            out.print(f"    {line}", highlight=False, markup=False)


@app.command()
def check(
    corpus: Corpus,
    root: Annotated[Path | None, typer.Option(help="The same as ROOT behind the name.")] = None,
    json_output: options.Json = False,
) -> None:
    """Read every annotation and every recording of a corpus, count them, and say what is missing.

    Exit code 1 where files are damaged, with a sentence for each of them.

    JSON keys: corpus, root, synthetic, recordings, recordings_with_audio, seconds (of audio), events,
    events_with_audio, labels, classes (count by name), classes_by_split (count by name), event_types (count by
    name), record_types (count by name), splits (count by name), splits_with_audio (count by name), patients,
    shared_patients (in training and a test of others), devices (count by name), sample_rates (count by Hz), diagnoses
    (count by name), missing (sentences), notes (sentences), problems (sentences).
    """
    from lungsound.corpora.check import check as check_corpus

    report = check_corpus(read_corpus(*_named(corpus, root)))
    if json_output:
        print_json(report)
    else:
        _print(report)
    if report["problems"]:
        raise typer.Exit(1)


@app.command()
def export(
    corpus: Corpus,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Table to write, .csv or .parquet.")],
    root: Annotated[Path | None, typer.Option(help="The same as ROOT behind the name.")] = None,
    json_output: options.Json = False,
) -> None:
    """Write a corpus as a table: a row an event, a column a label. `--data table:FILE` reads it back.

    JSON keys: table (file), rows, recordings, events, labels (names).
    """
    from lungsound.corpora.export import export_table

    opened = open_corpus(*_named(corpus, root))
    rows = len(export_table(opened, output))
    counts = {"rows": rows, "recordings": len(opened.recordings), "events": len(opened.events)}
    if json_output:
        print_json({"table": str(output), **counts, "labels": list(opened.labels)})
    else:
        told = ", ".join(f"{count:,} {name}" for name, count in counts.items())
        out.print(f"{output}: {told}; labels {', '.join(opened.labels)}", highlight=False, markup=False)


@app.command()
def shard(
    data: Data,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where the shards go.")],
    split: Annotated[str, typer.Option(help="Part of the corpora that is written, or all.")] = "train",
    sample_rate: Annotated[int, options.number(Range(1000, 768_000), "Hz.")] = 16_000,
    seconds: Annotated[float, options.number(Range(0.1, 3600), "Longest clip; recordings are cut to it.")] = 10.0,
    encoding: Annotated[
        str, typer.Option(help="npy (16-bit samples, read fastest) or flac (half the disk, decoded at every reading).")
    ] = "npy",
    shard_seconds: Annotated[float, options.number(Range(1, 1e6), "Sound of one tar file.")] = 5000.0,
    leave_out_damaged: Annotated[
        bool, typer.Option("--leave-out-damaged", help="Leave recordings out that cannot be read; list them.")
    ] = False,
    drop_shared: options.DropShared = False,
    validation: options.Validation = 0.2,
    split_seed: options.SplitSeed = 0,
    seed: options.Seed = 0,
    json_output: options.Json = False,
) -> None:
    """Cut corpora to clips and write these as tar files in WebDataset's layout. Started again, it goes on.

    JSON keys: shards (folder), files, clips, bytes, labels (names), left_out (sentences).
    """
    from lungsound.corpora.selection import Selection
    from lungsound.files.record import read_values
    from lungsound.shards.writing import ShardOptions, write_shards

    values = {"sample_rate": sample_rate, "seconds": seconds, "least_seconds": min(1.0, seconds), "encoding": encoding}
    values |= {"shard_seconds": shard_seconds, "seed": seed, "leave_out_damaged": leave_out_damaged}
    chosen = read_values(ShardOptions, values)
    selection = Selection.open(data, drop_shared=drop_shared, validation=validation, seed=split_seed)
    index, left_out = write_shards(selection, split, tuple(data), output, chosen)
    size = sum(file.stat().st_size for file in output.glob("shard-*.tar"))
    counts = {"files": len(index.clips), "clips": sum(index.clips), "bytes": size}
    if json_output:
        print_json({"shards": str(output), **counts, "labels": list(index.labels), "left_out": left_out})
        return
    told = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    out.print(f"{output}: {told}; labels {', '.join(index.labels)}", highlight=False, markup=False)
    for sentence in left_out:
        out.print(f"left out: {sentence}", highlight=False, markup=False)


@app.command()
def verify(
    shards: Annotated[Path, typer.Argument(metavar="FOLDER", help="As auscult data shard wrote it.")],
    json_output: options.Json = False,
) -> None:
    """Read every shard whole and hold it against its checksum.

    JSON keys: shards (folder), files, clips.
    """
    from lungsound.shards.reading import ShardedClips

    clips = ShardedClips(shards)
    clips.verify()
    counts = {"files": len(clips.facts.clips), "clips": len(clips)}
    if json_output:
        print_json({"shards": str(shards), **counts})
    else:
        out.print(f"{shards}: {counts['files']:,} files, {counts['clips']:,} clips, as written", highlight=False)


@app.command()
def synthesize(
    root: Annotated[Path, typer.Argument(help="Folder to write; must not exist.")],
    patients: Annotated[int, typer.Option(min=4, max=899, help="Number of patients.")] = 40,
    seed: options.Seed = 0,
    json_output: options.Json = False,
) -> None:
    """Write the synthetic corpus in the ICBHI 2017 layout.

    JSON keys: root (folder), patients, seed.
    """
    from lungsound.corpora.synthetic import generate

    if root.exists():
        raise InputError(f"{root}: exists already; name a folder that does not")
    generate(root, seed, patients)
    if json_output:
        print_json({"root": str(root), "patients": patients, "seed": seed})
    else:
        out.print(f"{root}: synthetic corpus of {patients} patients, seed {seed}", highlight=False)


def _named(corpus: str, root: Path | None) -> tuple[str, Path | None]:
    """Return name and root of a corpus on the command line."""
    name, given = parse_data(corpus)
    if given is not None and root is not None:
        raise InputError(f"{corpus} --root {root}: names the root twice; keep one of the two")
    return name, given or root


def _print(report: dict[str, Any]) -> None:
    for name, value in report.items():
        if value == {}:
            continue
        if isinstance(value, dict):
            value = " · ".join(f"{key} {count:,}" for key, count in value.items())
        if isinstance(value, list):
            value = _lines(value) if value else "none"
        out.print(f"{name.replace('_', ' ')}: {value}", highlight=False, markup=False)


def _lines(sentences: list[str]) -> str:
    """Return how many sentences there are and the first of them, a line each."""
    left = len(sentences) - MOST_PROBLEMS
    more = [f"... and {left} more; --json has them all"] if left > 0 else []
    return "\n  ".join([str(len(sentences)), *sentences[:MOST_PROBLEMS], *more])
