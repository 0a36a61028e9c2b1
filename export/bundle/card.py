"""The card of a bundle: what it is, what it was measured on, what it must not be used for."""

from collections.abc import Sequence
from typing import Any

from export.bundle.evidence import Evidence
from export.bundle.front_matter import front_matter
from export.bundle.manifest import ONNX_FLOAT_FILE, ONNX_INT8_FILE, TFLITE_FILE, Manifest
from export.bundle.runtimes import RUNTIMES
from lungsound.command.report import figure, headline

_CARD = """\
# A lung-sound {kind} for small devices
{failed}
Listens to {seconds:g} s of sound and gives a logit each for {labels}. {what}
For research and engineering: not a medical device, and no diagnosis comes from it.

## Input and output

- Sound: 16-bit mono at {logmel.sample_rate} Hz, windows of {samples} samples, one every {hop_seconds:g} s.
{heard}
{thresholds}

## Files

{files}

`golden.npz` holds made-up sound (nobody's recording){held} and every model's output; `auscult check` replays it.

## Figures on validation

{measured}

{figures}
{gate}
## Where it comes from

{origin}
{ranges}
- Made with {versions}.

## Limits

{known} It gives {labels} alone: other sounds, poor contact and silence have no label.

{runtimes}
"""

_LOGMEL = """\
- Log-mel: {frames} frames of {logmel.n_mels} bands ({logmel.f_min:g} to {logmel.f_max:g} Hz, {logmel.mel_scale}),
  {logmel.window} samples every {logmel.hop}, {less}normalised with mean {mean:.6g} and deviation {std:.6g};
  `manifest.json` has every parameter.
- Codes: `round(value / {input.scale:.8g}) + {input.zero_point}`, half {half}, saturated to int8."""

_SOUND = """\
- The network hears the samples themselves, divided by 32768: its input `sound` is float32 [1, {samples}].
- Its front end was learnt: {front_end}. No firmware, and no int8."""

_RANGES = "- Int8 ranges: {ranges[method]} over {ranges[windows]} {heard}; weights per channel."

_ERROR = "- ONNX against torch: the largest error of a probability on these windows and `golden.npz` is {error:.2g}."

_INT8_RUNTIMES = """\
onnxruntime saturates inside int8 convolutions on x86 cores without VNNI, unless the session has the configuration entry
`session.x64quantprecision` = `1`, as `auscult check` has.

LiteRT's XNNPACK rounds once where its reference kernels and microcontrollers round twice, so that some output codes
differ by one or two; `golden.npz` holds both."""

_FLOAT_RUNTIMES = (
    "onnxruntime adds floats in another order on other cores: `auscult check` allows 0.001 of a probability."
)

_LESS_MEAN = "each band less its mean over the recording as far as it was heard, "

_MEASURED = """\
Validation part of the split `{split[name]}` of {corpora}: {windows} windows, {protocols}. The thresholds were chosen
on these windows, so the figures flatter; `auscult evaluate` gives those of a test part."""

_MEASURED_ELSEWHERE = """\
Validation part of the split `{split[name]}` of {corpora}: {windows} windows, {protocols}. The network may have been
trained on them: who trained it knows. `auscult evaluate` gives figures of other recordings."""

_MADE_UP = """\
No recordings were given: {windows} windows of made-up sound say how near int8 is to float, and nothing about how well
the network hears. Export it again with `--data` for ranges and figures of real sound."""

_FAILED = "This bundle failed its gate and was written by force: int8 loses what float hears, see the figures."

_FROM_TEACHER = """\
- Teacher: {teacher[name]} ({teacher[paper]}).
- Licence that goes with this student: {teacher[licence]}.
- Corpus: {corpora}, split `{split[name]}` with hash `{split[hash]}`, seed {seed}."""

_FROM_ELSEWHERE = """\
- Network: `{student[module]}`, weights: `{student[weights]}` (sha256 `{student[sha256]}`).
- Licence: {teacher[licence]}."""

_EVIDENCE = """
## For whom

{evidence.device}. {cost}Research use; not a diagnosis.

## Figures on recordings that nothing was chosen on

{figures}

Intervals are of 95 %, whole patients drawn with replacement.

## Data and patients

{parts}

{corpora}

Recipe: {recipe}; seed {seed}; commit `{evidence.commit}`. The options of the training stand in `{evidence.name}.json`
beside the bundle.
"""

_FILES = {
    TFLITE_FILE: "fully int8, int8 in and out, for LiteRT and microcontrollers",
    ONNX_INT8_FILE: "int8 inside (QDQ), float in and out, for onnxruntime",
    ONNX_FLOAT_FILE: "float, what int8 is measured against",
}


def card(manifest: Manifest, evidence: Evidence | None = None) -> str:
    """Return the README.md of a bundle as Markdown, with front matter.

    Parameters
    ----------
    manifest : Manifest
        With the sizes of the model files.
    evidence : Evidence, optional
        Of a model that was measured on a test part.
    """
    return front_matter(manifest, evidence) + _text(manifest) + (_measured(manifest, evidence) if evidence else "")


def _measured(manifest: Manifest, evidence: Evidence) -> str:
    """Return what is known of a model that was measured on a test part."""
    rows = ["| corpus | part | how | figure | value | interval |", "|---|---|---|---|---|---|"]
    for one in evidence.figures:
        how, interval = f"{one.protocol}, {one.level}", f"{figure(one.low)} to {figure(one.high)}"
        rows.append(f"| {one.corpus} | {one.part} | {how} | {one.metric} | {figure(one.value)} | {interval} |")
    parts = [f"- {part}: {count} recordings of {evidence.patients[part]} patients" for part, count in
             evidence.recordings.items()]  # fmt: skip
    corpora = [f"- `{name}`: {facts['terms']}. {facts['paper']}" for name, facts in evidence.corpora.items()]
    cost = ""
    if evidence.target:
        cost = f"As firmware for {evidence.target} at most {evidence.ram_bytes:,} bytes of RAM, windows overlapping, "
        cost += f"and {evidence.flash_bytes:,} of flash (`auscult plan`). "
    return _EVIDENCE.format(
        evidence=evidence,
        cost=cost,
        figures="\n".join(rows),
        parts="\n".join(parts),
        corpora="\n".join(corpora),
        recipe=evidence.recipe or "none, the options themselves",
        seed=manifest.seed,
    )


def _text(manifest: Manifest) -> str:
    listening = manifest.listening
    elsewhere = "module" in manifest.student
    corpora = " and ".join(manifest.data)
    if manifest.synthetic:
        corpora += " (synthetic: no figure here says anything about patients)"
    facts: dict[str, Any] = {
        "corpora": corpora,
        "parameters": manifest.parameters,
        "protocols": " and ".join(manifest.protocols),
        "seed": manifest.seed,
        "split": manifest.split,
        "student": manifest.student,
        "teacher": manifest.teacher,
        "windows": manifest.validation["windows"],
    }
    if elsewhere:
        measured, origin = _MEASURED_ELSEWHERE if manifest.data else _MADE_UP, _FROM_ELSEWHERE
        what = f"A network of {manifest.parameters:,} parameters from elsewhere."
    else:
        measured, origin = _MEASURED, _FROM_TEACHER
        trunk = manifest.student.get("trunk", "network")
        what = f"A {trunk} of {manifest.parameters:,} parameters,\ntrained on {corpora}."
    return _CARD.format(
        kind="network" if elsewhere else "student",
        what=what,
        measured=measured.format(**facts),
        origin=origin.format(**facts),
        seconds=listening.seconds,
        hop_seconds=listening.hop_seconds,
        samples=listening.samples,
        logmel=listening.logmel,
        labels=_listed(listening.labels),
        thresholds="\n".join(_thresholds(manifest)),
        files="\n".join(_files(manifest)),
        figures="\n".join(_figures(manifest.validation)),
        failed="" if manifest.failed is None else f"\n**{_FAILED}**\n",
        gate=_gate(manifest),
        versions=", ".join(f"{name} {version}" for name, version in manifest.versions.items()),
        known=_known(manifest, elsewhere),
        **_of_input(manifest),
    )


def _of_input(manifest: Manifest) -> dict[str, str]:
    """Return the parts that tell a network that hears log-mels, and has int8 models, from one that hears sound."""
    listening = manifest.listening
    if manifest.front_end is not None:
        return {
            "heard": _SOUND.format(samples=listening.samples, front_end=manifest.front_end),
            "held": "",
            "ranges": _ERROR.format(error=manifest.validation.get("onnx_error", 0.0)),
            "runtimes": _FLOAT_RUNTIMES,
        }
    windows = "training windows" if manifest.data else "windows of made-up sound"
    logmel, codes = listening.logmel, manifest.input
    recording = logmel.normalisation == "recording"
    return {
        "heard": _LOGMEL.format(
            frames=listening.frames,
            logmel=logmel,
            mean=logmel.mean,
            std=logmel.std,
            input=codes,
            less=_LESS_MEAN if recording else "",
            half="up" if recording else "to even",
        ),
        "held": ", its codes",
        "ranges": _RANGES.format(ranges=manifest.ranges, heard=windows),
        "runtimes": _INT8_RUNTIMES,
    }


def _known(manifest: Manifest, elsewhere: bool) -> str:
    if elsewhere:
        return "Who trained it knows what it was trained on; expect less elsewhere."
    if manifest.synthetic:
        return "It was trained on synthetic sound and tests the tools alone."
    return "It knows the stethoscopes, chest sites and patients of its corpus; expect less elsewhere."


def _thresholds(manifest: Manifest) -> list[str]:
    codes = manifest.threshold_codes
    lines = [
        f"- {label} is given at logit >= {threshold:.4f}"
        for label, threshold in zip(manifest.listening.labels, manifest.thresholds, strict=True)
    ]
    if codes is not None:
        lines = [f"{line}, output code >= {code}" for line, code in zip(lines, codes, strict=True)]
    return [*lines, f"- These thresholds were chosen for `{manifest.aim}`."] if manifest.aim else lines


def _files(manifest: Manifest) -> list[str]:
    there = {name: what for name, what in _FILES.items() if name in manifest.files}
    if manifest.front_end is not None:
        there[ONNX_FLOAT_FILE] = "float, from the samples on, for onnxruntime"
    rows = [f"| `{name}` | {manifest.files[name].size:,} | {what} |" for name, what in there.items()]
    return ["| file | bytes | |", "|---|---|---|", *rows]


def _figures(validation: dict[str, Any]) -> list[str]:
    if "float" not in validation:
        return _agreement(validation)
    figures = headline(validation["float"])
    heads = ["", *figures, "decisions unlike float", "largest error of a probability"]
    rows = [heads, ["---"] * len(heads), ["float", *figures.values(), "", ""]]
    for name, found in validation["int8"].items():
        against = [f"{found['differing_decisions']:.2%}", figure(found["max_error"])]
        rows.append([RUNTIMES[name].title, *headline(found).values(), *against])
    return [f"| {' | '.join(row)} |" for row in rows]


def _agreement(validation: dict[str, Any]) -> list[str]:
    rows = ["| | decisions unlike float | largest error of a probability | mean error |", "|---|---|---|---|"]
    for name, found in validation["int8"].items():
        errors = f"{figure(found['max_error'])} | {figure(found['mean_error'])}"
        rows.append(f"| {RUNTIMES[name].title} | {found['differing_decisions']:.2%} | {errors} |")
    return rows


def _gate(manifest: Manifest) -> str:
    if manifest.gate is None:
        return ""
    verdict, reasons = manifest.gate["verdict"], manifest.gate["reasons"]
    said = f"\nGate (what int8 loses against float, by patient): {verdict}.\n"
    return said + "".join(f"\n- {reason[0].upper()}{reason[1:]}.\n" for reason in reasons)


def _listed(labels: Sequence[str]) -> str:
    """Return labels as a sentence has them."""
    return " and ".join([", ".join(labels[:-1]), labels[-1]] if len(labels) > 1 else labels)
