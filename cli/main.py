"""The command `bbans` with its subcommands.

Exit codes are those of `bbans.errors`, 2 for usage errors, 130 after an interrupt, and 128 and its
number after another signal that ends the process. Heavy modules are imported only when a command
starts to work, so that `--help` and usage errors answer at once.
"""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Sequence

import click

import bbans
from bbans.errors import BbansError

from .archive import archive
from .bench import bench
from .completion import completion
from .ending import Ended, signals_raised
from .files import compress, decompress
from .inspection import info, verify
from .manual import attach
from .models import models
from .research import evaluate, interpolate, reconstruct, sample
from .run import memory_errors_named, print_result, report, say
from .train import train

INTERRUPTED = 130
"""Exit code after an interrupt."""


def _version(context: click.Context, parameter: click.Parameter, requested: bool) -> None:
    """Print the version and every model on the search path, as needed in a bug report, and exit."""
    if not requested or context.resilient_parsing:
        return
    from importlib.metadata import version

    from bbans.models import library

    print_result(f"bbans {version('bbans')}")
    print_result(f"engine {bbans.engine()}")
    for model in library.list_models():
        print_result(f"model {model.line()}")
    context.exit()


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_version,
    help="Show the version and the models.",
)
def commands() -> None:
    """Lossless image compression with trained models.

    Inputs are always kept; existing outputs are only overwritten with -f. '-' is standard input.
    """


for command in (
    compress,
    decompress,
    info,
    verify,
    archive,
    bench,
    completion,
    train,
    evaluate,
    sample,
    reconstruct,
    interpolate,
    models,
):
    commands.add_command(command)
attach(commands)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `bbans` with the given arguments (default: those of the process); return its exit code.

    Errors are reported on one line of standard error and not raised.

    Examples:
        >>> main(["completion", "--help"])
        Usage: bbans completion ...
        0
    """
    _tolerate_narrow_output()
    try:
        with signals_raised(), memory_errors_named():
            return int(commands.main(arguments, prog_name="bbans", standalone_mode=False) or 0)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        say("bbans: interrupted")
        return INTERRUPTED
    except Ended as end:
        say(f"bbans: ended by {signal.Signals(end.number).name}")
        return end.exit_code
    except (BbansError, OSError) as error:
        return report(error)
    finally:
        _advise_a_compiler()


def _advise_a_compiler() -> None:
    """Say so where work was slow for want of the compiled core."""
    coded = "bbans.exact.engines" in sys.modules and "BBANS_ENGINE" not in os.environ
    if coded and bbans.engine() == "reference":
        say(
            "bbans: this ran on the reference engine, many times slower than the compiled one: "
            "install bbans again where there is a C++ compiler, or from a wheel"
        )


def _tolerate_narrow_output() -> None:
    """Print what the encoding of standard output lacks as escapes, as standard error does."""
    stream = sys.stdout
    if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
        stream.reconfigure(errors="backslashreplace")
