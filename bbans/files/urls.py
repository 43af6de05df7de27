"""Files by URL through fsspec: `s3://bucket/x.png`, `memory://x.bbans`, and any other scheme for
which a driver is installed.

A name is a URL if it starts with a scheme and `://`; URLs may be chained
(`zip://x.png::s3://bucket/a.zip`). `file://` names a local path. A file is written in one
operation, which is atomic if the storage's upload is.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

from bbans.errors import BbansError, InputError, OutputError
from bbans.images.atomic import taken

URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(::[A-Za-z][A-Za-z0-9+.-]*)*://")
HERE = "file://"


def located(name: str | os.PathLike[str]) -> Path | str:
    """Return a local name as a Path, and a URL unchanged.

    Raises InputError on a `file://` URL if fsspec is not installed.

    Examples:
        >>> located("s3://bucket/x.png"), located("x.png") == Path("x.png")
        ('s3://bucket/x.png', True)
    """
    if not isinstance(name, str) or not URL.match(name):
        return Path(name)
    return Path(_file_system(name)[1]) if name.startswith(HERE) else name


def read(url: str) -> bytes:
    """Read the bytes of a file. Raises InputError if it cannot be read.

    Examples:
        >>> write("memory://read.bbans", b"abc", overwrite=True)
        >>> read("memory://read.bbans")
        b'abc'
    """
    with _as(InputError, url, "read"):
        files, path = _file_system(url)
        return bytes(files.cat_file(path))


def opened(url: str) -> tuple[BinaryIO, Any]:
    """Open a file for reading, of which only requested parts are fetched, and return it with its
    file system, which has to live as long: one inside another file closes that when it ends.

    Raises InputError if it cannot be opened.

    Examples:
        >>> write("memory://opened.bbans", b"abc", overwrite=True)
        >>> opened("memory://opened.bbans")[0].read(2)
        b'ab'
    """
    with _as(InputError, url, "read"):
        files, path = _file_system(url)
        file: BinaryIO = files.open(path, "rb")
        return file, files


def fetch(url: str, folder: Path) -> Path:
    """Copy a file to a local folder and return its path there. Raises InputError.

    Examples:
        >>> import tempfile
        >>> write("memory://fetched.bbans", b"abc", overwrite=True)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     fetch("memory://fetched.bbans", Path(folder)).read_bytes()
        b'abc'
    """
    with _as(InputError, url, "read"):
        files, path = _file_system(url)
        target = folder / name_of(url)
        files.get_file(path, str(target))
        return target


def members(url: str) -> dict[str, str] | None:
    """Return the URLs of all files below a folder by their names relative to it, sorted.

    The result is None if the URL is not a folder. Raises InputError if it cannot be read.

    Examples:
        >>> write("memory://photos/a.png", b"", overwrite=True)
        >>> members("memory://photos")
        {'a.png': 'memory:///photos/a.png'}
    """
    with _as(InputError, url, "read"):
        files, path = _file_system(url)
        if not files.isdir(path):
            return None
        start = len(path.rstrip("/")) + 1
        return {name[start:]: files.unstrip_protocol(name) for name in sorted(files.find(path))}


def write(url: str, data: bytes | Path, overwrite: bool = False) -> None:
    """Write bytes, or a copy of a local file, to a URL.

    Raises OutputExistsError if it exists unless `overwrite`, and OutputError.

    Examples:
        >>> write("memory://written.bbans", b"abc", overwrite=True)
        >>> read("memory://written.bbans")
        b'abc'
    """
    with _as(OutputError, url, "written"):
        check(url, overwrite)
        files, path = _file_system(url)
        if "/" in path.strip("/"):
            files.makedirs(path.rpartition("/")[0], exist_ok=True)
        if isinstance(data, bytes):
            files.pipe_file(path, data)
        else:
            files.put_file(str(data), path)


def check(url: str, overwrite: bool) -> None:
    """Raise OutputExistsError if a file exists, unless `overwrite`; OutputError if it is
    unreachable.

    Examples:
        >>> check("memory://new.bbans", overwrite=False)
    """
    with _as(OutputError, url, "written"):
        files, path = _file_system(url)
        if not overwrite and files.exists(path):
            raise taken(url)


def name_of(url: str) -> str:
    """Return the last part of a URL's path.

    Examples:
        >>> name_of("s3://bucket/a/x.png"), name_of("zip://x.png::s3://bucket/a.zip")
        ('x.png', 'x.png')
    """
    return url.partition("::")[0].rstrip("/").rpartition("/")[2]


def _file_system(url: str) -> tuple[Any, str]:
    """Return the file system of a URL and the path in it."""
    try:
        core = import_module("fsspec.core")
    except ImportError:
        raise InputError(
            f"{url}: a URL needs fsspec, which is not installed; pip install fsspec and the "
            "driver of its scheme"
        ) from None
    with _as(InputError, url, "reached"):
        files, path = core.url_to_fs(url)
        return files, str(path)


@contextmanager
def _as(kind: type[BbansError], url: str, done: str) -> Iterator[None]:
    """Turn any error of a driver into one error of this package, since drivers share no class."""
    try:
        yield
    except BbansError:
        raise
    except FileNotFoundError:
        raise kind(f"{url}: cannot be {done}: nothing is there; check the URL") from None
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise kind(f"{url}: cannot be {done}: {reason}") from error
