"""`bbans models list/show/add`: the models at hand."""

from __future__ import annotations

import json
from pathlib import Path

import click

from .options import force_option
from .run import say

json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each model.")


@click.group()
def models() -> None:
    """The models at hand: on BBANS_MODEL_PATH, in your own folder, and shipped."""


@models.command("list")
@json_option
def list_(as_json: bool) -> int:
    """List the models, a line each."""
    from bbans import library

    for found in library.list_models():
        click.echo(json.dumps(found.to_dict()) if as_json else found.line())
    return 0


@models.command()
@click.argument("model")
@json_option
def show(model: str, as_json: bool) -> int:
    """Show one model: a name, or a file."""
    from bbans import library

    found = library.show_model(model)
    click.echo(json.dumps(found.to_dict()) if as_json else "\n".join(found.lines()))
    return 0


@models.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@force_option
def add(file: str, force: bool) -> int:
    """Copy a model file to your own folder, where compressed files find it."""
    from bbans import library

    say(f"added as {click.format_filename(str(library.add_model(Path(file), overwrite=force)))}")
    return 0
