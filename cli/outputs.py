"""Assignment of outputs to inputs, and standard streams as files.

An input is a name on the command line: a path, a URL, or "-" for standard input. An output is a
path or a URL; None is standard output.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from bbans.errors import BbansError, InputError
from bbans.files import urls
from bbans.images.formats.registry import FORMATS, format_of_suffix, written
from bbans.images.sources import descriptor_of, read_bounded

from .checks import STREAM, resolved


def plan(
    sources: Sequence[str],
    output: str | None,
    to_stdout: bool,
    rename: Callable[[str, Path], Path],
    advice: str = "name another output with -o",
) -> dict[str, Path | str | None]:
    """Return the output of every source.

    output: of the option -o, a file or a folder. rename: from a source and the path of its name to
    the default output. advice: what to do if two sources have one output. Raises click.UsageError
    if two sources have one output, an output is also a source, or several sources go to one file or
    stream.

    Examples:
        >>> plan(["a.png"], "-", False, rename=lambda source, path: path.with_suffix(".bbans"))
        {'a.png': None}
    """
    if to_stdout and output not in (None, STREAM):
        raise click.UsageError("-c and -o exclude each other")
    if STREAM in sources and len(sources) > 1:
        raise click.UsageError("'-' (standard input) has to be the only input")
    nameless = [source for source in sources if is_stream(source)]
    if to_stdout or output == STREAM or (output is None and nameless and len(sources) == 1):
        if len(sources) > 1:
            raise click.UsageError(
                "standard output takes one file: give one input, or a directory with -o"
            )
        return {sources[0]: None}
    if len(set(sources)) < len(sources):
        raise click.UsageError("an input is given twice")
    if nameless and (output is None or len(sources) > 1):
        raise click.UsageError(
            f"{nameless[0]} has no name to use for an output: give it alone, with -o or -c"
        )
    targets = _paths(sources, output, rename)
    _check_distinct(targets, advice)
    return dict(targets)


def _paths(
    sources: Sequence[str], output: str | None, rename: Callable[[str, Path], Path]
) -> dict[str, Path | str]:
    if output is None:
        return {source: _beside(source, rename) for source in sources}
    folder = urls.located(output)
    if isinstance(folder, str):
        one = len(sources) == 1 and not output.endswith("/")
        return {
            source: output if one else f"{output.rstrip('/')}/{_renamed(source, rename)}"
            for source in sources
        }
    if len(sources) == 1 and not folder.is_dir() and not output.endswith(os.sep):
        return {sources[0]: folder}
    if folder.exists() and not folder.is_dir():
        raise click.UsageError(f"{output} is not a directory, and several inputs need one")
    if is_stream(sources[0]):
        raise click.UsageError(
            "standard input has no name to use in a directory: name a file with -o, or use -c"
        )
    return {source: folder / _renamed(source, rename) for source in sources}


def _renamed(source: str, rename: Callable[[str, Path], Path]) -> str:
    """Return the name of a source's output; "" if the source has none."""
    place = _named(source)
    return rename(source, place).name if place.name else ""


def _named(source: str) -> Path:
    """Return a source's path, or the last part of its URL."""
    place = urls.located(source)
    if not isinstance(place, Path):
        return Path(urls.name_of(place))
    return place


def is_stream(source: str) -> bool:
    """Return whether a source is standard input or another open descriptor, such as <(command).

    Examples:
        >>> is_stream("-"), is_stream("/dev/fd/63"), is_stream("a.png")
        (True, True, False)
    """
    return source == STREAM or descriptor_of(source) is not None


def _beside(source: str, rename: Callable[[str, Path], Path]) -> Path | str:
    place = urls.located(source)
    if isinstance(place, Path):
        # ".", "/" and "" have no name; they are refused as inputs later
        return rename(source, place) if place.name else place
    if "::" in place:
        raise click.UsageError(f"{source} is inside another file: name an output with -o")
    return f"{place.rpartition('/')[0]}/{rename(source, _named(source)).name}"


def _check_distinct(targets: Mapping[str, Path | str], advice: str) -> None:
    inputs = {resolved(urls.located(source)) for source in targets if source != STREAM}
    source_of: dict[Path | str, str] = {}
    for source, target in targets.items():
        if not _named(source).name:
            continue
        place = resolved(target)
        if place in inputs:
            raise click.UsageError(
                f"{target} is an input, and inputs are kept: name another output with -o"
            )
        if place in source_of:
            raise click.UsageError(
                f"{source_of[place]} and {source} would both be written to {target}: {advice}"
            )
        source_of[place] = source


def image_kind(target: Path | str | None, original: str | None = None) -> str | None:
    """Return the kind of image file of an output's suffix.

    original: the suffix of the file that the source was made from, if that is known. It stands for
    the suffix of standard output and of names without one; None: there is neither. Raises
    click.UsageError on other suffixes.

    Examples:
        >>> image_kind("a.tif"), image_kind("a.jpeg", original=".jpg"), image_kind(None)
        ('tiff', 'jpeg', None)
    """
    suffix = ("" if target is None else Path(target).suffix.lower()) or original
    if suffix is None:
        return None
    if kind := format_of_suffix(suffix):
        return kind.lower()
    for row in FORMATS.values():
        if original in row.suffixes and suffix in row.suffixes:
            return row.name.lower()
    raise click.UsageError(
        f"{suffix} is not among the lossless kinds that are written ({', '.join(written())}); "
        "choose one with --format"
    )


@contextmanager
def as_files(source: str, target: Path | str | None) -> Iterator[tuple[Path | str, Path | str]]:
    """Give the paths or URLs to read and to write, as a context manager.

    Standard input is copied to a temporary file first, which errors of the body then do not name;
    standard output is copied from one at the end, unless the body raises.

    Examples:
        >>> with as_files("a.png", Path("a.bbans")) as (source, target):
        ...     print(source, target)
        a.png a.bbans
    """
    if source != STREAM and target is not None:
        if isinstance(target, Path):
            target.parent.mkdir(parents=True, exist_ok=True)
        yield urls.located(source), target
        return
    with tempfile.TemporaryDirectory(prefix="bbans-") as folder:
        read, write = urls.located(source), target or Path(folder, "stdout")
        if source == STREAM:
            read = Path(folder, "stdin")
            read.write_bytes(read_bytes(STREAM))
        try:
            yield read, write
        except BbansError as error:
            error.args = (str(error).removeprefix(f"{read}: "), *error.args[1:])
            raise
        if target is None:
            sys.stdout.buffer.write(Path(write).read_bytes())
            sys.stdout.buffer.flush()


def read_bytes(source: str, expected: str = "a .bbans file") -> bytes:
    """Read all bytes of a path, a URL, or standard input. Raises InputError, which says what was
    expected.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, "a").write_bytes(b"abc")
        ...     read_bytes(f"{folder}/a")
        b'abc'
    """
    if source == STREAM:
        if sys.stdin is None:
            raise InputError("standard input is closed: redirect it, or name a file")
        return read_bounded(sys.stdin.buffer, STREAM)
    from bbans.files import storage

    return storage.read_bytes(source, expected)
