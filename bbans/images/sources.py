"""Bytes of an input by its path: of a regular file, or of a pipe that this process was given as
`/dev/stdin` or, by `<(command)` of a shell, as `/dev/fd/63`.

A pipe of another name (`mkfifo`) is not opened: that would wait for a writer, perhaps for ever.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import BinaryIO

from bbans.errors import InputError

MAX_PIPE_BYTES = 2**32
"""Largest number of bytes that are read from a pipe, whose length is not known before."""
PIECE = 2**20
STANDARD_INPUT = "/dev/stdin"
DESCRIPTOR = re.compile(r"/(?:dev|proc/self)/fd/([0-9]{1,9})")


def descriptor_of(path: str | os.PathLike[str]) -> int | None:
    """Return the number of the open descriptor that a path names, None for other paths.

    Examples:
        >>> descriptor_of("/dev/stdin"), descriptor_of("/dev/fd/63"), descriptor_of("a.png")
        (0, 63, None)
    """
    name = os.fspath(path)
    if name == STANDARD_INPUT:
        return 0
    match = DESCRIPTOR.fullmatch(name)
    return int(match[1]) if match else None


def read_bounded(file: BinaryIO, name: str, limit: int = MAX_PIPE_BYTES) -> bytes:
    """Return all bytes of a stream. Raises InputError if there are more than `limit`.

    Examples:
        >>> from io import BytesIO
        >>> read_bounded(BytesIO(b"abc"), "-")
        b'abc'
    """
    pieces, size = [], 0
    while piece := file.read(PIECE):
        pieces.append(piece)
        size += len(piece)
        if size > limit:
            raise InputError(
                f"{name}: at most {limit} bytes are read from a pipe, found more: name a file"
            )
    return b"".join(pieces)


def file_bytes(path: str | os.PathLike[str], expected: str = "an image file") -> bytes:
    """Return the bytes of a regular file, or of a pipe that is an open descriptor (`/dev/fd/N`).

    Raises InputError for anything else, without waiting for a pipe; `expected` names what was
    expected.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     size = Path(folder, "a.pgm").write_bytes(b"P2 2 1 255 7 8")
        ...     file_bytes(Path(folder, "a.pgm"))
        b'P2 2 1 255 7 8'
    """
    name = os.fspath(path)
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            raise InputError(f"{name}: {expected} was expected, found a folder")
        if is_pipe(path):
            with os.fdopen(os.dup(descriptor_of(path) or 0), "rb") as file:
                return read_bounded(file, name)
        if not stat.S_ISREG(mode):
            raise InputError(
                f"{name}: {expected} was expected, found a pipe or device: pipe its bytes "
                "to standard input"
            )
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise InputError(
            f"{name}: cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from None


def is_pipe(path: str | os.PathLike[str]) -> bool:
    """Return whether a path names an open descriptor that is a pipe or a socket.

    Raises OSError if it names one that is closed.

    Examples:
        >>> is_pipe("a.png")
        False
    """
    number = descriptor_of(path)
    if number is None:
        return False
    mode = os.fstat(number).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
