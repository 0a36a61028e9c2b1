"""`auscult recipes`: the recipes that come with auscult."""

from rich.table import Table

from lungsound.command import options
from lungsound.command.console import print_json
from lungsound.command.recipes import Recipe, shipped
from lungsound.terminal import print_table


def recipes_command(json_output: options.Json = False) -> None:
    """List the recipes, for `distill --recipe NAME` and `auscult finetune --recipe NAME`.

    JSON keys: recipes (a list: name, command, follows, values (by option)).
    """
    found = {name: Recipe.open(name) for name in shipped()}
    if json_output:
        keys = ("command", "follows", "values")
        print_json({"recipes": [{"name": name} | {key: getattr(found[name], key) for key in keys} for name in found]})
        return
    table = Table("recipe", "command", "follows")
    for name, recipe in found.items():
        table.add_row(name, recipe.command, recipe.follows)
    print_table(table)
