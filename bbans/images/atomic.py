"""Files that are there whole or not at all.

The bytes go to a temporary name in the same folder and get their own name once they are on the
disk. Without `overwrite` that is a hard link, which fails when the name exists: of two writers one
wins and the other is told.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from bbans.errors import OutputError, OutputExistsError


def _exists(path: Path) -> OutputExistsError:
    return OutputExistsError(
        f"{path}: exists already: ask for overwriting (-f) or choose another name"
    )


def _write_temporary(path: Path, data: bytes | Iterable[bytes]) -> None:
    descriptor = os.open(
        path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666
    )
    with os.fdopen(descriptor, "wb") as file:
        file.writelines([data] if isinstance(data, bytes) else data)
        file.flush()
        os.fsync(file.fileno())


def _publish(temporary: Path, target: Path) -> None:
    """Gives the file its name unless that is taken (`FileExistsError`)."""
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
    """Makes the new name durable where folders can be synchronised; elsewhere the system does it in
    its time.
    """
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def atomic_write(
    path: str | os.PathLike[str], data: bytes | Iterable[bytes], overwrite: bool = False
) -> None:
    """Writes a file, given whole or in pieces, under its name only when all of it is on the disk,
    with the umask's permissions.

    Raises `OutputExistsError` if the name is taken and `overwrite` is off, `OutputError` if the
    file cannot be written or the name belongs to something that is no regular file. After an error
    nothing is left behind, and an old file is as it was.
    """
    target = Path(path)
    temporary = target.parent / f".bbans-{secrets.token_hex(8)}.tmp"
    try:
        if target.exists() and not target.is_file():
            raise OutputError(f"{target}: a file name was expected, found a folder, pipe or device")
        if not overwrite and os.path.lexists(target):
            raise _exists(target)
        try:
            _write_temporary(temporary, data)
            if overwrite:
                os.replace(temporary, target)
            else:
                _publish(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)
    except FileExistsError:
        raise _exists(target) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OutputError(f"{target}: cannot be written: {reason}") from error
    _sync_folder(target.parent)
