"""Arguments, options and parameter types that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click

from bbans.container import schemes
from bbans.files import urls
from bbans.options import EFFORTS

from .completion import model_names

Command = TypeVar("Command", bound=Callable[..., Any])


class RowChoice(click.Choice):  # type: ignore[type-arg]
    """A choice among the names of a table, read anew whenever the command runs."""

    def __init__(self, names: Callable[[], Iterable[str]]) -> None:
        self._names = names
        super().__init__(list(names()), case_sensitive=False)

    @property
    def choices(self) -> tuple[str, ...]:
        """Return the names."""
        return tuple(self._names())

    @choices.setter
    def choices(self, names: Iterable[str]) -> None:
        """Ignore the names that click assigns: those of the table are used."""


class OutputPath(click.Path):
    """A file or folder to write, whose permissions are checked later."""

    def __init__(self, file_okay: bool = True, dir_okay: bool = True) -> None:
        super().__init__(file_okay=file_okay, dir_okay=dir_okay, readable=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the name; a usage error if it is empty, as of a shell's variable that is not
        set.
        """
        return super().convert(_named(self, value, param, ctx), param, ctx)


class ModelName(click.ParamType):  # type: ignore[type-arg]
    """A model's name or file."""

    name = "MODEL"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the name; a usage error if it is empty."""
        return _named(self, value, param, ctx)


def _named(
    kind: click.ParamType,  # type: ignore[type-arg]
    value: Any,
    param: click.Parameter | None,
    ctx: click.Context | None,
) -> Any:
    if value == "":
        kind.fail("a name was expected, found an empty one", param, ctx)
    return value


files_argument = click.argument(
    "files", nargs=-1, required=True, type=click.Path(readable=False), metavar="FILES..."
)
force_option = click.option(
    "-f", "--force", is_flag=True, help="Overwrite outputs that exist; write to a terminal."
)
model_option = click.option(
    "--model",
    type=ModelName(),
    metavar="MODEL",
    shell_complete=model_names,
    help="A model's file or name; 'none' compresses without one. Default: the photograph model, "
    "or the one a file names.",
)
effort_option = click.option(
    "--effort",
    type=RowChoice(lambda: EFFORTS),
    default="default",
    help="A small model, the default one, or that and all orientations: eight times the time.",
)
threads_option = click.option(
    "--threads",
    type=click.IntRange(min=1),
    metavar="N",
    help="Threads to use. Default: one a core.",
)
dask_option = click.option(
    "--dask",
    "cluster",
    metavar="ADDRESS",
    help="Work on the dask cluster of this scheduler, such as tcp://host:8786; the files are the "
    "same.",
)
no_verify_option = click.option(
    "--no-verify",
    is_flag=True,
    help="Do not decode the result and compare it before it is written.",
)
quiet_option = click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
verbose_option = click.option("-v", "--verbose", is_flag=True, help="Print a line for every file.")


max_pixels_option = click.option(
    "--max-pixels",
    type=click.IntRange(min=1),
    default=2**30,
    metavar="N",
    help="Refuse files of larger images. Default: 2^30.",
)


particles_option = click.option(
    "--particles",
    type=click.IntRange(1, 1024),
    metavar="K",
    help="Particles of bb-is and bb-cis. Default: 8; files take up to 256.",
)
refine_option = click.option(
    "--refine",
    type=click.IntRange(0, 255),
    metavar="T",
    help="Steps of search for every image's posterior. Default: 0.",
)


def coding_options(
    in_files: bool = False, default: str = "what suits the model"
) -> Callable[[Command], Command]:
    """Return the decorator for --scheme, --particles and --refine of a latent model.

    in_files: whether schemes that only single-image files have are offered too. default: the
    description of the default scheme.

    Examples:
        >>> command = coding_options()(click.command()(lambda **options: None))
        >>> sorted(option.name for option in command.params)
        ['particles', 'refine', 'scheme']
    """
    scheme_option = click.option(
        "--scheme",
        type=RowChoice(lambda: schemes.names(in_files=in_files)),
        help=f"How a latent chain is coded. Default: {default}.",
    )
    return lambda command: scheme_option(particles_option(refine_option(command)))


max_items_option = click.option(
    "--max-items",
    type=click.IntRange(min=1),
    default=2**20,
    metavar="N",
    help="Refuse archives of more images. Default: 2^20.",
)


class RegionType(click.ParamType):  # type: ignore[type-arg]
    """Four integers X,Y,W,H: top left corner and size of a rectangle in pixels."""

    name = "X,Y,W,H"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Parse the integers; a usage error says what is expected."""
        if isinstance(value, tuple):
            return value
        parts = value.split(",")
        if len(parts) != 4 or not all(part.strip().isdecimal() for part in parts):
            self.fail(
                f"{value!r} is no rectangle: write X,Y,W,H in pixels, such as 100,200,640,480",
                param,
                ctx,
            )
        return tuple(int(part) for part in parts)


class PathOrUrl(click.Path):
    """An existing path, or a URL, whose existence is checked when it is read."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the name unchanged; a usage error for a path that does not exist."""
        return (
            value
            if isinstance(value, str) and urls.URL.match(value)
            else super().convert(value, param, ctx)
        )


def output_options(command: Command) -> Command:
    """Add the options -o and -c, which say where outputs go, to a command.

    Examples:
        >>> command = output_options(click.command()(lambda **options: None))
        >>> sorted(option.name for option in command.params)
        ['output', 'stdout']
    """
    command = click.option(
        "-c", "--stdout", is_flag=True, help="Write to standard output (one input)."
    )(command)
    output_help = (
        "File to write; with many inputs or a trailing slash a directory, made if "
        "missing. '-' is standard output."
    )
    return click.option("-o", "--output", type=OutputPath(), help=output_help)(command)


class ShapeType(click.ParamType):  # type: ignore[type-arg]
    """Two integers HxW: rows and columns."""

    name = "HxW"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Parse the integers; a usage error says what is expected."""
        if isinstance(value, tuple):
            return value
        parts = str(value).split("x")
        if len(parts) != 2 or not all(part.isdecimal() and int(part) for part in parts):
            self.fail(f"{value!r} is no shape: write HxW in pixels, such as 28x28", param, ctx)
        return tuple(int(part) for part in parts)


shape_option = click.option(
    "--shape",
    type=ShapeType(),
    help="Rows and columns, such as 28x28, of images that arrays hold flat, or as packed bits.",
)
