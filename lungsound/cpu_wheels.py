"""Make the published torchvision and torchaudio wheels importable beside a CPU build of torch.

Their compiled parts link CUDA and refuse to load there, and timm, lightning and torchmetrics import them.
The parts used here are pure Python. Import this module before any of those packages.
"""

import importlib.util
import sys
from pathlib import Path

import torch


def _declare_torchvision_operators() -> None:
    """Declare the two operators that torchvision describes while it is imported."""
    for name in ("nms", "qnms"):
        signature = f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
        library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
        library.define(signature)  # type: ignore[no-untyped-call]
        _KEPT_ALIVE.append(library)


def _let_torchaudio_find_no_library() -> None:
    """Load torchaudio's loader alone and tell it that there is nothing to load."""
    found = importlib.util.find_spec("torchaudio")
    if found is None or found.origin is None or "torchaudio" in sys.modules:
        return
    name = "torchaudio._extension.utils"
    spec = importlib.util.spec_from_file_location(name, Path(found.origin).parent / "_extension" / "utils.py")
    if spec is None or spec.loader is None:
        return
    loader = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loader)
    loader.__dict__["_load_lib"] = lambda lib: False
    sys.modules[name] = loader


_KEPT_ALIVE: list[torch.library.Library] = []

if torch.version.cuda is None and "torchvision" not in sys.modules:
    _declare_torchvision_operators()
    _let_torchaudio_find_no_library()
