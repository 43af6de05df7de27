"""Files by URL through fsspec: `s3://bucket/x.png`, `memory://x.bbans`, and whatever else the
installed drivers open.

A name is a URL where it starts with a scheme and `://`, also chained
(`zip://x.png::s3://bucket/a.zip`); `file://` names a path here. A file is put in its place in one
operation, which is whole or not at all where the storage's own upload is.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

from bbans.errors import BbansError, InputError, OutputError, OutputExistsError

URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(::[A-Za-z][A-Za-z0-9+.-]*)*://")
HERE = "file://"


def located(name: str | os.PathLike[str]) -> Path | str:
    """A path, or a URL as it was given.

    Raises InputError on a URL where fsspec or its driver is missing.
    """
    if not isinstance(name, str) or not URL.match(name):
        return Path(name)
    return Path(_found(name)[1]) if name.startswith(HERE) else name


def read(url: str) -> bytes:
    """The bytes of a file. Raises InputError."""
    with _as(InputError, url, "read"):
        files, path = _found(url)
        return bytes(files.cat_file(path))


def opened(url: str) -> BinaryIO:
    """A file open for reading, of which only what is asked for is fetched. Raises InputError."""
    with _as(InputError, url, "read"):
        files, path = _found(url)
        found: BinaryIO = files.open(path, "rb")
        return found


def fetch(url: str, folder: Path) -> Path:
    """A copy of a file in a folder here. Raises InputError."""
    with _as(InputError, url, "read"):
        files, path = _found(url)
        target = folder / name_of(url)
        files.get_file(path, str(target))
        return target


def members(url: str) -> dict[str, str] | None:
    """The files below a folder by their names in it, as URLs that `read` takes; None for what is no
    folder. Raises InputError.
    """
    with _as(InputError, url, "read"):
        files, path = _found(url)
        if not files.isdir(path):
            return None
        start = len(path.rstrip("/")) + 1
        return {found[start:]: files.unstrip_protocol(found) for found in sorted(files.find(path))}


def write(url: str, data: bytes | Path, overwrite: bool = False) -> None:
    """Put bytes, or a file of this machine, in a file's place.

    Raises OutputExistsError, OutputError.
    """
    with _as(OutputError, url, "written"):
        check(url, overwrite)
        files, path = _found(url)
        if "/" in path.strip("/"):
            files.makedirs(path.rpartition("/")[0], exist_ok=True)
        if isinstance(data, bytes):
            files.pipe_file(path, data)
        else:
            files.put_file(str(data), path)


def check(url: str, overwrite: bool) -> None:
    """Raises OutputExistsError where a file is there already and may not be overwritten."""
    with _as(OutputError, url, "written"):
        files, path = _found(url)
        if not overwrite and files.exists(path):
            raise OutputExistsError(
                f"{url}: exists already: ask for overwriting (-f) or choose another name"
            )


def name_of(url: str) -> str:
    """The last part of a URL's path."""
    return url.partition("::")[0].rstrip("/").rpartition("/")[2]


def _found(url: str) -> tuple[Any, str]:
    """A file system and the path in it."""
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
    """Whatever a driver raises, by name: each has errors of its own."""
    try:
        yield
    except BbansError:
        raise
    except FileNotFoundError:
        raise kind(f"{url}: cannot be {done}: nothing is there; check the URL") from None
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise kind(f"{url}: cannot be {done}: {reason}") from error
