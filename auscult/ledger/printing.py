"""Evaluations for people: the headline, and every table where somebody asks for it."""

from collections.abc import Mapping, Sequence
from typing import Any

from auscult.ledger.evaluation import Evaluation
from lungsound.command.report import figure, figures_table, headline, scores_table, spread_table
from lungsound.terminal import err, out, print_table

_MOST = 10
"""Recordings that are printed; ``--json`` has them all."""

_COMPARED = ("score", "balanced_accuracy", "se", "sp", "se_any", "auroc", "sensitivity", "specificity")


def print_evaluation(result: Evaluation, *, full: bool = False) -> None:
    """Print the tables of one evaluation; with `full` those of all groups and events, too."""
    found = result.scores
    columns = {"by window": found["windows"]}
    if "recordings" in found:
        columns["by recording"] = found["recordings"]
    if found.get("no_sound"):
        columns["event length alone, no sound"] = found["no_sound"]
    title = f"{result.model}: {result.corpus} {result.part}, {result.protocol}"
    print_table(scores_table(title, columns, synthetic=result.synthetic))
    for line in lines(result):
        out.print(line, highlight=False, markup=False)
    for task, reason in found.get("left_out", {}).items():
        err.print(f"note: SPRSound task {task} is left out, {reason}", style="yellow", highlight=False)
    if result.protocol == "cycles" and not found.get("no_sound"):
        err.print("note: no training events in this corpus to fit the no-sound baseline on", style="yellow")
    if full:
        for table in _tables(result):
            print_table(table)


def lines(result: Evaluation) -> list[str]:
    """Return the sentences below the table: intervals over patients, calibration, devices, alarms, tasks."""
    found, wide = result.scores, result.scores["intervals"]
    counts, (low, high) = found["counts"], found["by_patient"]
    *_, name = headline(found["windows"])
    told = [f"{name}, 95 % interval over {counts['patients']} patients: {figure(low)} to {figure(high)}"]
    for level, where in (("windows", "window"), ("recordings", "recording")):
        if level in found:
            area = within(found[level]["auroc"]["any"], wide[level]["auroc"]["any"])
            told.append(f"AUROC of any abnormality by {where}: {area}")
    told += _of_devices(found) + _of_patients(found) + [_of_calibration(found["calibration"])]
    if "events" in found:
        told += _of_events(found)
    if picked := found["picked_on_test"]:
        claimed, reached = picked["claimed"], found["windows"]["auroc"]["any"]
        told.append(
            f"picking the best of {len(picked['epochs'])} epochs on this test would have claimed {name} "
            f"{figure(claimed['score'])}, AUROC {figure(claimed['auroc_any'])} (not {figure(reached)})"
        )
    for name, task in found.items():
        if name.startswith("task_"):
            line = "  ".join(f"{key.upper()} {figure(value)}" for key, value in task.items())
            told.append(f"SPRSound {name.replace('_', ' ')}: {line}")
    if "task_1-1" in found and found.get("no_sound"):
        told.append(f"SPRSound task 1-1, no sound: Score {figure(found['no_sound']['binary']['score'])}")
    return told


def within(value: float, interval: Sequence[float]) -> str:
    """Return a figure with its interval."""
    return f"{figure(value)} [{figure(interval[0])}, {figure(interval[1])}]"


def _of_devices(found: Mapping[str, Any]) -> list[str]:
    if not (mean := found["within_devices"]):
        return []
    area = within(mean["scores"]["auroc"]["any"], mean["intervals"]["auroc"]["any"])
    return [f"the same within devices, the mean of {mean['devices']}: {area}"]


def _of_patients(found: Mapping[str, Any]) -> list[str]:
    groups = found["groups"].get("patients", {})
    if len(groups) < 2:
        return []
    told = (
        f"{within(g['scores']['auroc']['any'], g['intervals']['auroc']['any'])} {name}" for name, g in groups.items()
    )
    return [f"the same of patients: {', '.join(told)}"]


def _of_calibration(found: Mapping[str, Any]) -> str:
    raw = found["by_label"]["any"]
    said = f"calibration of any: ECE {figure(raw['ece'])}, Brier score {figure(raw['brier'])}"
    if found["temperature"] is None:
        return f"{said}; no temperature, for no validation is at hand"
    tempered = found["with_temperature"]["any"]
    temperature = f"at the temperature {found['temperature']:.3g}, fitted on validation"
    return f"{said}; {temperature}: {figure(tempered['ece'])}, {figure(tempered['brier'])}"


def _of_events(found: Mapping[str, Any]) -> list[str]:
    heard, normal = found["events"]["any"], found["normal_breathing"]
    sensitivity = within(heard["sensitivity"], heard["intervals"]["sensitivity"])
    false = per_hour(heard["false_alarms_an_hour"], heard["intervals"]["false_alarms_an_hour"])
    alarms = per_hour(normal["alarms_an_hour"], normal["intervals"]["alarms_an_hour"])
    return [
        f"of {heard['events']} events {sensitivity} are heard, with {false} false alarms an hour",
        f"alarms an hour of normal breathing ({normal['hours']:.2f} hours): {alarms}",
    ]


def per_hour(value: float, interval: Sequence[float]) -> str:
    """Return a rate with its interval; a dash where there is no hour."""
    said = ("-" if one is None or one != one else f"{one:.1f}" for one in (value, *interval))
    return "{} [{}, {}]".format(*said)


def _tables(result: Evaluation) -> list[Any]:
    found, mark = result.scores, " (synthetic corpus)" if result.synthetic else ""
    tables = []
    for kind, groups in found["groups"].items():
        heads = ["n", "patients", "abnormal", "AUROC", "Se", "Sp"]
        table = figures_table(f"any abnormality by {kind}, {result.protocol}{mark}", kind, *heads)
        for name, group in groups.items():
            scores = group["scores"]
            figures = (scores[key]["any"] for key in ("auroc", "sensitivity", "specificity"))
            counts = (scores["n"], group["patients"], group["abnormal"])
            table.add_row(name, *map(str, counts), *map(figure, figures))
        tables.append(table)
    table = figures_table(f"calibration{mark}", "label", "ECE", "Brier score", "ECE,\nwith temperature")
    tempered = found["calibration"].get("with_temperature", {})
    for label, errors in found["calibration"]["by_label"].items():
        table.add_row(label, *map(figure, (errors["ece"], errors["brier"], tempered.get(label, {}).get("ece"))))
    tables.append(table)
    if "events" in found:
        heads = ["events", "heard", "alarms", "false", "false\nan hour"]
        table = figures_table(f"events{mark}", "label", *heads)
        for label, heard in found["events"].items():
            alarms, false = str(heard["alarms"]), str(heard["false_alarms"])
            rate = f"{heard['false_alarms_an_hour']:.1f}"
            table.add_row(label, str(heard["events"]), figure(heard["sensitivity"]), alarms, false, rate)
        tables.append(table)
    return tables


def print_spread(spread: Mapping[str, Any], targets: int, *, synthetic: bool) -> None:
    """Print how far the headline and AUROC of several targets vary, by protocol and level."""
    chosen = ("score", "balanced_accuracy", "auroc.any", "se", "sp", "se_any")
    for protocol, levels in spread.items():
        for level, found in levels.items():
            kept = {name: found[name] for name in chosen if name in found}
            title = f"{protocol}, {level.replace('_', ' ')}: {targets} runs or bundles"
            print_table(spread_table(title, "figure", kept, synthetic=synthetic))


def print_comparison(found: Mapping[str, Any]) -> None:
    """Print how two models differ, and the recordings on which they part most."""
    one, other = found["models"]
    mark = " (synthetic corpus)" if found["synthetic"] else ""
    counts = found["paired"]
    where = f"{found['corpus']} {found['part']}, {found['protocol']}"
    for level in ("windows", "recordings"):
        if level in found:
            heads = ("A", "B", "B - A", "95 % interval")
            table = figures_table(f"{where}, {level}: A {one}; B {other}{mark}", "figure", *heads)
            chosen = (name for name in found[level] if name.split(".")[0] in _COMPARED)
            for name in chosen:
                of = found[level][name]
                low, high = of["interval"]
                difference = f"{of['difference']:+.3f}", f"{low:+.3f} to {high:+.3f}"
                table.add_row(name.replace(".", " "), figure(of["one"]), figure(of["other"]), *difference)
            print_table(table)
    parting = found["parting"]
    differing = sum(of["differing"] for of in parting)
    out.print(
        f"{differing} of {counts['windows']} windows are decided otherwise, in {len(parting)} of "
        f"{counts['recordings']} recordings of {counts['patients']} patients",
        highlight=False,
    )
    for of in parting[:_MOST]:
        right = f"A right in {of['one_right']}, B in {of['other_right']}"
        out.print(f"  {of['recording']}: {of['differing']} of {of['windows']}, {right}", highlight=False, markup=False)
    if len(parting) > _MOST:
        out.print(f"  ... and {len(parting) - _MOST} more; --json has them all", highlight=False)
