"""Files from the templates in templates/: one environment for all of them."""

from functools import lru_cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_TEMPLATES = Path(__file__).parent / "templates"


@lru_cache(maxsize=1)
def _environment() -> Environment:
    # A line that holds nothing but a statement leaves no empty line; what is made is C and Markdown, nothing to escape.
    return Environment(
        loader=FileSystemLoader(_TEMPLATES), undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True
    )


def render(template: str, **values: object) -> str:
    """Return the text that ``templates/NAME.j2`` makes of `values`; a name that it lacks is an error."""
    return _environment().get_template(f"{template}.j2").render(values)
