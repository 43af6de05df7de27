"""`bbans completion`: what a shell needs to complete commands, options and the names of models."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem, ShellComplete, get_completion_class

VARIABLE = "_BBANS_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> int:
    """Print the script for completion in a shell.

    The shell then completes commands, options and the names of models.

    Put it where the shell looks for such scripts, as below, and start a new shell. Where that is
    inconvenient, put the line `eval "$(bbans completion bash)"` into the shell's start-up file
    (`bbans completion fish | source` for fish).
    """
    kind = get_completion_class(shell)
    assert kind is not None
    # not kind.source: it runs bash to see which one is there
    click.echo(ShellComplete.source(kind(context.find_root().command, {}, "bbans", VARIABLE)))
    return 0


def model_names(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Names on the search path that begin like this; files where there is none."""
    from bbans.models import library

    found = [CompletionItem(name) for name in library.model_names() if name.startswith(incomplete)]
    return found or [CompletionItem(incomplete, type="file")]
