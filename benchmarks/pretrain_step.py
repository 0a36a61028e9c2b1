"""A step of M2D's pre-training as `auscult pretrain` takes it against the same one written plainly; AudioSet's hours.

Two processes, one with Lightning's trainer and our network, one with `plain_m2d.py`, take the same steps on the same
batches in turn, so that a machine's drift hits both alike. They begin with the same weights, and their losses must stay
equal from step to step, which holds gradients, optimiser and learning rate against each other, too. Seconds of a GPU
are the clock's; those of a CPU are the process's own, all threads together, so that others on the machine do not count.
Memory is the most that a process held: of a GPU what torch allotted there, else what was resident (VmHWM).

    OMP_NUM_THREADS=1 python benchmarks/pretrain_step.py --batch 8 --steps 7

The matrix peak is what a large matrix product reaches here. The hours of the paper's AudioSet run follow from clips,
epochs and seconds a clip: those of this machine (of the CPU that it is, where it has no GPU), or of another one by
`--clip-seconds`; and from counted operations, those of an A100 that does a given share of its data sheet's.
"""

import argparse
import json
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from lungsound import cpu_wheels as cpu_wheels  # isort: skip  # before lightning, which imports torchvision

import lightning
import torch
from plain_m2d import PlainStep
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from lungsound.training.precision import usual_precision
from teachers.m2d.config import M2DConfig
from teachers.m2d.duo import PREDICTORS, Duo, DuoConfig
from teachers.pretraining.module import PretrainModule
from teachers.pretraining.settings import PretrainSettings
from teachers.pretraining.training import make_trainer

WAYS = ("ours", "plain")
TOLERANCE = 1e-4
"""Of a loss in float32, relative; bfloat16 has three digits."""
CLIPS, EPOCHS = 2_005_132, 300
PAPER_HOURS = 4 * 55
"""GPU hours of the paper's run: four A100."""
A100_FLOPS = 312e12
"""Multiply-accumulates count two; bfloat16, dense, by the data sheet."""
SHARES = (0.2, 0.35, 0.5)

Batch = dict[str, torch.Tensor]


def made(settings: PretrainSettings) -> Duo:
    torch.manual_seed(settings.seed)
    config = M2DConfig.of_size(settings.size, (80, settings.frames))
    return Duo(DuoConfig(config, PREDICTORS[settings.size]))


class Batches:
    """Random log-mels and masks, a batch a step, the same ones for everybody."""

    def __init__(self, settings: PretrainSettings, steps: int) -> None:
        self.settings, self.steps = settings, steps

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[Batch]:
        told, patches = self.settings, 5 * self.settings.frames // 16
        for step in range(self.steps):
            drawn = torch.Generator().manual_seed(step)
            x = torch.randn(told.batch_size, 1, 80, told.frames, generator=drawn)
            yield {"x": x, "order": torch.rand(told.batch_size, patches, generator=drawn).argsort(dim=1)}


class InTurn(lightning.Callback):
    """Take a step when the other process has taken its own, and tell its seconds and its loss."""

    def __init__(self, turns: Any) -> None:
        self.turns = turns

    def on_train_batch_start(self, *_: Any) -> None:
        """Wait."""
        self.turns.recv()
        self.started = clock()

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, *_: Any) -> None:
        """Tell."""
        self.turns.send((clock() - self.started, outputs["loss"].item()))


def clock() -> float:
    """Return seconds: of a GPU when its work is done, of a CPU this process's own."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()


def ours(settings: PretrainSettings, steps: int, turns: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        trainer = make_trainer(settings, Path(folder), 1_000_000)  # no epoch ends here, and nothing is written
        trainer.callbacks.insert(0, InTurn(turns))
        module = PretrainModule(made(settings), settings, 1_000_000, Path(folder), None)
        trainer.fit(module, Batches(settings, steps))


def plain(settings: PretrainSettings, steps: int, turns: Any) -> None:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    duo = made(settings).to(device)
    module = PretrainModule(duo, settings, 1, Path(), None)
    rate, visible = module.highest_learning_rate, module.visible
    step = PlainStep(duo, rate, settings.weight_decay, settings.gradient_clip, settings.tau)
    half = torch.autocast(device, torch.bfloat16) if settings.precision == "bf16-mixed" else nullcontext()
    for batch in Batches(settings, steps):
        x, order = batch["x"].to(device), batch["order"].to(device)  # as Lightning does before a step
        turns.recv()
        started = clock()
        with half:
            loss, target = step.losses(x, order, visible)
        loss.backward()
        step.update()
        turns.send((clock() - started, loss.item()))
        del loss, target


def process(way: Callable[..., None], settings: PretrainSettings, steps: int, turns: Any) -> None:
    way(settings, steps, turns)
    status = Path("/proc/self/status").read_text()
    resident = int(status.partition("VmHWM:")[2].split()[0]) * 1024
    turns.send(torch.cuda.max_memory_allocated() if torch.cuda.is_available() else resident)


def measure(settings: PretrainSettings, steps: int) -> dict[str, Any]:
    """Return seconds a step (median) and peak memory of both ways, and what they are to each other."""
    spawn, pipes, processes = multiprocessing.get_context("spawn"), [], []
    for way in (ours, plain):
        here, there = spawn.Pipe()
        processes.append(spawn.Process(target=process, args=(way, settings, steps + 1, there), daemon=True))
        processes[-1].start()
        there.close()
        pipes.append(here)
    seconds, losses = [], []
    for _ in range(steps + 1):
        turn = []
        for pipe in pipes:
            pipe.send("go")
            turn.append(pipe.recv())
        seconds.append([taken for taken, _ in turn])
        losses.append([loss for _, loss in turn])
        mine, other = losses[-1]
        tolerance = TOLERANCE if settings.precision == "32-true" else 1e-2
        if abs(mine - other) > tolerance * abs(other):
            raise SystemExit(f"step {len(losses)}: our loss is {mine}, the plain one's {other}")
    memory = [pipe.recv() for pipe in pipes]
    taken = seconds[1:]  # a first step allots memory
    return {
        "seconds": dict(zip(WAYS, (statistics.median(column) for column in zip(*taken, strict=True)), strict=True)),
        "times_faster": statistics.median(other / mine for mine, other in taken),
        "times_faster_of_steps": [other / mine for mine, other in taken],
        "peak_bytes": dict(zip(WAYS, memory, strict=True)),
        "memory_ratio": memory[0] / memory[1],
        "losses": losses,
    }


def flops(settings: PretrainSettings) -> dict[str, int]:
    """Count the operations that a step takes for one clip: multiply-accumulates count two, the optimiser nothing."""
    one = replace(settings, batch_size=1, precision="32-true")
    (batch,) = Batches(one, 1)
    module = PretrainModule(made(one), one, 1, Path(), None)
    step = PlainStep(made(one), 0, 0, 1, 1)
    counted = {}
    for name, loss in (
        ("ours", lambda: module.figures_of(batch)[0]),
        ("plain", lambda: step.losses(batch["x"], batch["order"], module.visible)[0]),
    ):
        with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):  # the one that it knows anywhere
            loss().backward()
        counted[name] = counter.get_total_flops()
    return counted


def matrix_peak(precision: str) -> float:
    """Return operations a second of a large matrix product here, the best of a few."""
    kind = torch.bfloat16 if precision == "bf16-mixed" else torch.float32
    device, size = ("cuda", 8192) if torch.cuda.is_available() else ("cpu", 2048)
    a, b = (torch.randn(size, size, dtype=kind, device=device) for _ in range(2))
    best = float("inf")
    for _ in range(6):
        started = clock()
        a @ b
        best = min(best, clock() - started)
    return 2 * size**3 / best


def hours(clip_seconds: float) -> float:
    """Return the hours of the paper's AudioSet run."""
    return CLIPS * EPOCHS * clip_seconds / 3600


def main() -> None:
    """Print a table, or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="base")
    parser.add_argument("--frames", type=int, default=608)
    parser.add_argument("--batch", type=int, default=8, help="clips of a step [8]")
    parser.add_argument("--steps", type=int, default=5, help="timed steps; one goes before them [5]")
    parser.add_argument("--precision", default=usual_precision())
    parser.add_argument("--compile", action="store_true", help="ours with --compile")
    parser.add_argument("--clip-seconds", type=float, help="of a step, by clips: hours alone, nothing is measured")
    parser.add_argument("--json", action="store_true")
    told = parser.parse_args()
    settings = PretrainSettings(
        size=told.size,
        frames=told.frames,
        batch_size=told.batch,
        warm_up=0,  # the highest learning rate from the first step on
        tau_end=PretrainSettings.tau,
        precision=told.precision,
        compile=told.compile,
        checkpoint_steps=100_000,
    )
    counted = flops(settings)
    found: dict[str, Any] = {"batch": told.batch, "steps": told.steps, "precision": told.precision}
    found["flops_a_clip"] = counted
    clip_seconds, of = told.clip_seconds, "measured elsewhere"
    if clip_seconds is None:
        found |= {"machine": machine(), **measure(settings, told.steps), "matrix_peak": matrix_peak(told.precision)}
        clip_seconds, of = found["seconds"]["ours"] / told.batch, found["machine"]
        found["share_of_matrix_peak"] = counted["ours"] / clip_seconds / found["matrix_peak"]
    found["audioset_hours"] = {
        "clip_seconds": clip_seconds,
        "of": of,
        "hours": hours(clip_seconds),
        "a100": {share: {way: hours(counted[way] / (share * A100_FLOPS)) for way in WAYS} for share in SHARES},
        "paper": PAPER_HOURS,
        "share_in_the_papers_hours": hours(counted["ours"] / A100_FLOPS) / PAPER_HOURS,
    }
    if told.json:
        print(json.dumps(found, indent=2))
        return
    for line in (*(told_of_step(found) if "seconds" in found else ()), *told_of_hours(found)):
        print(line)


def machine() -> str:
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    name = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return f"{name}, CPU threads: {torch.get_num_threads()}"


def told_of_step(found: dict[str, Any]) -> Iterator[str]:
    yield f"{found['machine']}, {found['precision']}, {found['batch']} clips a step, {found['steps']} steps"
    for name in WAYS:
        yield f"  {name}: {found['seconds'][name]:.3g} s a step, peak {found['peak_bytes'][name] / 2**30:.2f} GiB"
    yield f"  {found['times_faster']:.2f}x as fast, {found['memory_ratio']:.2f} of the memory"
    share, peak = found["share_of_matrix_peak"], found["matrix_peak"]
    yield f"  ours does {share:.0%} of the {peak / 1e9:,.0f} GFLOP/s of a large matrix product"


def told_of_hours(found: dict[str, Any]) -> Iterator[str]:
    counted, told = found["flops_a_clip"], found["audioset_hours"]
    yield "operations a clip: " + ", ".join(f"{name} {value / 1e9:.1f} GFLOP" for name, value in counted.items())
    yield f"AudioSet, {CLIPS:,} clips, {EPOCHS} epochs; the paper: {PAPER_HOURS} GPU hours (4 A100)"
    yield f"  {told['clip_seconds']:.3g} s a clip ({told['of']}): {told['hours']:,.0f} hours"
    for share, row in told["a100"].items():
        hours_of = ", ".join(f"{name} {value:.0f}" for name, value in row.items())
        yield f"  computed for an A100 at {share:.0%} of 312 TFLOP/s: {hours_of} GPU hours"
    yield f"  ours takes the paper's hours at {told['share_in_the_papers_hours']:.0%}"


if __name__ == "__main__":
    main()
