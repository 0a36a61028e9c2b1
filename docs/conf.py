"""Sphinx: pages in Markdown, the reference from docstrings and C headers, the commands from their own help."""

import inspect
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import GenericAlias
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path[:0] = [str(HERE / "_extensions"), str(ROOT)]

from jinja2 import BaseLoader  # noqa: E402
from jinja2.sandbox import SandboxedEnvironment  # noqa: E402
from numpydoc import docscrape_sphinx  # noqa: E402
from sphinx.application import Sphinx  # noqa: E402
from sphinx.domains.python import PythonDomain  # noqa: E402

from lungsound import cpu_wheels as cpu_wheels  # noqa: E402  # before anything that imports torchvision or torchaudio
from lungsound.files.versions import own_version  # noqa: E402

project = "auscult"
author = "auscult maintainers"
copyright = "auscult maintainers, Apache-2.0"
release = own_version()

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "hawkmoth",
    "commands",
    "plain_comments",
]
exclude_patterns = ["_build", "reference/generated/firmware"]
templates_path = ["_templates"]
html_theme = "furo"
html_title = "auscult"
html_static_path: list[str] = []
html_show_sphinx = False

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# Every name of ours must resolve. Other packages' names cannot: their inventories are on the network.
nitpicky = True
OURS = ("auscult", "lungsound", "teachers", "students", "distill", "export", "firmware_bridge")
nitpick_ignore_regex = [
    (r"py:.*", rf"(?!({'|'.join(OURS)})\.).*"),
    (r"py:.*", r".*\.[A-Z]"),  # type variables
    (r"c:identifier", r"u?int(8|16|32|64)_t|size_t|bool"),
]

autosummary_generate = True
autosummary_ignore_module_all = True
autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_use_type_comments = False  # there are none, and each function would be parsed to look for them
numpydoc_show_class_members = False
numpydoc_validation_checks: set[str] = set()

# The public headers as they stand in a written folder: net.h and the configurations exist nowhere else.
FIRMWARE = HERE / "reference" / "generated" / "firmware"
hawkmoth_root = str(FIRMWARE)
# Headers of a few lines stand for a compiler's own, so that the documentation needs no compiler.
hawkmoth_autoconf: list[str] = []
hawkmoth_clang = ["-nostdinc", f"-I{HERE / '_standard_headers'}", f"-I{FIRMWARE}"]


def write_firmware() -> None:
    """Write the firmware of the bundle that the tests keep."""
    bundle = ROOT / "tests" / "data" / "before" / "bundle"
    FIRMWARE.parent.mkdir(exist_ok=True)
    command = [sys.executable, "-c", "from auscult.cli import main; main()", "firmware", str(bundle)]
    subprocess.run([*command, "--target", "host", "-o", str(FIRMWARE)], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)


def leave_out_aliases(app: Sphinx, what: str, name: str, obj: object, skip: bool, options: object) -> bool | None:
    """Sphinx 9 fails on the signature of an alias such as dict[str, int]; those who use one spell it."""
    return True if isinstance(obj, GenericAlias) else None


def fold_navigation(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object) -> None:
    """Beside a page stand its own branch and the tops of all others: whole trees took half of the time of a build."""
    if "toctree" in context:
        whole = context["toctree"]
        context["toctree"] = lambda **options: whole(**options | {"collapse": True})


_environments: dict[type[BaseLoader], SandboxedEnvironment] = {}


def environment(loader: BaseLoader) -> SandboxedEnvironment:
    """Return the environment of a kind of loader, the same each time: it keeps its templates compiled."""
    if type(loader) not in _environments:
        _environments[type(loader)] = SandboxedEnvironment(loader=loader)
    return _environments[type(loader)]


def ask_once() -> None:
    """Keep what is asked again and again, a fifth of the time of a build."""
    docscrape_sphinx.SandboxedEnvironment = environment  # numpydoc makes one for each of some thousand docstrings
    PythonDomain.find_obj = cache(PythonDomain.find_obj)  # compares a name that is not ours with all that are
    inspect.getsource = cache(inspect.getsource)  # once for the lines of a function and once for its arguments


def setup(app: Sphinx) -> None:
    """Write what the pages include, and register with Sphinx."""
    ask_once()
    write_firmware()
    app.connect("autodoc-skip-member", leave_out_aliases)
    app.connect("html-page-context", fold_navigation, priority=400)  # the theme asks for the tree at 500
