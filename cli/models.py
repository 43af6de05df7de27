"""`bbans models list/show/add`: models on the search path."""

from __future__ import annotations

import json
from pathlib import Path

import click

from .completion import model_names
from .options import ModelName, force_option
from .run import print_result, say, shown

json_option = click.option(
    "--json", "as_json", is_flag=True, help="One JSON object a line for each model."
)


@click.group()
def models() -> None:
    """The models at hand: list, show, add.

    A compressed file names its model by id, and decodes wherever a file with that id is found.
    """


@models.command("list")
@json_option
def list_(as_json: bool) -> int:
    """List the models, a line each.

    Name, family, the beginning of the id, and how many integers it has. Of models with one name the
    first on the search path counts.
    """
    from bbans.models import library

    for info in library.list_models():
        print_result(json.dumps(info.to_dict()) if as_json else info.line())
    return 0


@models.command()
@click.argument("model", type=ModelName(), shell_complete=model_names)
@json_option
def show(model: str, as_json: bool) -> int:
    """Show one model: a name, or a file.

    Its full id, its config, and how and from what it was made.
    """
    from bbans.models import library

    info = library.show_model(model)
    print_result(json.dumps(info.to_dict()) if as_json else "\n".join(info.lines()))
    return 0


@models.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@force_option
def add(file: str, force: bool) -> int:
    """Copy a model file to your own folder.

    Compressed files that name it find it there.
    """
    from bbans.models import library

    say(f"added as {shown(str(library.add_model(Path(file), overwrite=force)))}")
    return 0
