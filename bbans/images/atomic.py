"""Atomic writing: a file appears under its name complete or not at all.

The bytes are written to a temporary name in the same folder, which is renamed once they are on the
disk. Without `overwrite` a hard link gives the name, which fails if the name exists: of two
concurrent writers one succeeds, and the other gets an error.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from bbans.errors import OutputError, OutputExistsError


def taken(name: str | os.PathLike[str]) -> OutputExistsError:
    """Return the error for an output, a path or URL, whose name is taken.

    Examples:
        >>> taken("a.png")
        OutputExistsError('a.png: exists already: ask for overwriting (-f) or choose another name')
    """
    return OutputExistsError(
        f"{os.fspath(name)}: exists already: ask for overwriting (-f) or choose another name"
    )


def check_free(path: str | os.PathLike[str], overwrite: bool) -> None:
    """Raise OutputExistsError if a path exists, be it a dangling link, unless `overwrite`: what
    `atomic_write` checks, for callers that know the name before a long computation.

    Examples:
        >>> check_free("new.png", overwrite=False)
    """
    if not overwrite and os.path.lexists(path):
        raise taken(path)


def _write_temporary(path: Path, data: bytes | Iterable[bytes], mode: int | None) -> None:
    """Write and synchronise a new file with the permissions `mode`, or those of the umask."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags, 0o666 if mode is None else 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.writelines([data] if isinstance(data, bytes) else data)
        file.flush()
        os.fsync(file.fileno())
    if mode is not None:
        os.chmod(path, mode)  # nobody else could open it before


def _publish(temporary: Path, target: Path) -> None:
    """Give the file its name. Raises FileExistsError if that is taken."""
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links: reserve the name, then fill it
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        try:
            os.replace(temporary, target)
        except BaseException:
            target.unlink()
            raise
    else:
        temporary.unlink()


def _sync_folder(folder: Path) -> None:
    """Make the new name durable on systems that can synchronise folders; others do so on their
    own.
    """
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def atomic_write(
    path: str | os.PathLike[str],
    data: bytes | Iterable[bytes],
    overwrite: bool = False,
    mode: int | None = None,
) -> None:
    """Write a file, given as bytes or in pieces, so that its name appears once all of it is on the
    disk.

    mode: the permission bits; None: those of the umask. Raises OutputExistsError if the name exists
    and `overwrite` is off, OutputError if the file cannot be written or the name belongs to
    something that is no regular file. After an error no temporary file remains, and an existing
    file is unchanged.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     atomic_write(Path(folder, "a.txt"), b"abc")
        ...     Path(folder, "a.txt").read_bytes()
        b'abc'
    """
    target = Path(path)
    temporary = target.parent / f".bbans-{secrets.token_hex(8)}.tmp"
    try:
        if target.exists() and not target.is_file():
            raise OutputError(f"{target}: a file name was expected, found a folder, pipe or device")
        check_free(target, overwrite)
        try:
            _write_temporary(temporary, data, mode)
            if overwrite:
                os.replace(temporary, target)
            else:
                _publish(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)
    except FileExistsError:
        raise taken(target) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OutputError(f"{target}: cannot be written: {reason}") from error
    _sync_folder(target.parent)
