"""`bbans completion`: shell completion of commands, options and names of models."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem, ShellComplete, get_completion_class

from .run import print_result

VARIABLE = "_BBANS_COMPLETE"
"""Environment variable by which a shell requests completions."""


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
    completion_class = get_completion_class(shell)
    assert completion_class is not None
    # not completion_class.source, which runs bash to determine its version
    print_result(
        ShellComplete.source(completion_class(context.find_root().command, {}, "bbans", VARIABLE))
    )
    return 0


def model_names(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the names of models on the search path that begin with `incomplete`, or else files.

    Examples:
        >>> context = click.Context(completion)
        >>> [item.value for item in model_names(context, completion.params[0], "photo-fast")]
        ['photo-fast-1']
    """
    from bbans.models import library

    names = [CompletionItem(name) for name in library.model_names() if name.startswith(incomplete)]
    return names or [CompletionItem(incomplete, type="file")]
