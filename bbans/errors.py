"""Every named error, with the exit code that the command line gives it.

An error's text is one line: what was expected, what was found, what to do.
"""

from __future__ import annotations


class BbansError(Exception):
    """Root of all named errors. `exit_code` is what `bbans` exits with."""

    exit_code = 1


class InputError(BbansError):
    """The image or option given cannot be used (unreadable, unsupported mode, not an image)."""

    exit_code = 3


class UnsupportedImageError(InputError):
    """A valid image of a kind that is not coded: floating point, CMYK, animation, ..."""


class JpegInputError(InputError):
    """A JPEG file: its pixels cost more than its own bytes, so taking it as pixels must be asked
    for.
    """


class NoCodecError(InputError):
    """A posterior that trains, and that nothing codes."""


class OutputExistsError(BbansError):
    """The output is there already and overwriting was not asked for."""

    exit_code = 4


class OutputError(BbansError):
    """The output cannot be written."""

    exit_code = 4


class FormatError(BbansError):
    """The bytes are no valid file of ours."""

    exit_code = 5


class NotBbansError(FormatError):
    """The magic bytes are missing."""


class VersionError(FormatError):
    """A format version, flag or codec that this release does not know."""


class TruncatedError(FormatError):
    """The file ends too early."""


class ChecksumError(FormatError):
    """A checksum fails: the file is damaged."""


class DamagedTilesError(FormatError):
    """Tiles of a damaged file are missing from an image that was restored as far as it could be."""


class TrailingDataError(FormatError):
    """Bytes after the end of the file's own structure, or words left in a decoded tile's
    message.
    """


class LimitError(FormatError):
    """A file of ours, but larger than the caller allows: nothing was decoded."""


class ModelError(BbansError):
    """A model cannot be used."""

    exit_code = 6


class ModelNotFoundError(ModelError):
    """The model that a file names, or that an option names, is not here."""


class ModelFormatError(ModelError):
    """A model file is malformed."""


class AccumulatorBoundError(ModelError):
    """A layer's sums could leave the range in which float arithmetic on integers is exact."""


class VerificationError(BbansError):
    """The encoder decoded its own output and got something else; nothing was written."""

    exit_code = 7


class ClusterError(BbansError):
    """A dask cluster cannot be reached, or its workers cannot do the work."""

    exit_code = 9


class OutOfMemoryError(BbansError):
    """The command line had too little memory or too few threads; functions raise what they were
    given, mostly a MemoryError.
    """

    exit_code = 10


class UnderflowError(BbansError):
    """A pop from a message that holds too little.

    `missing_bits` is how many bits the scheme is short of, at least.
    """

    exit_code = 8

    def __init__(self, message: str, missing_bits: float) -> None:
        super().__init__(message)
        self.missing_bits = missing_bits

    def __reduce__(self) -> tuple[type[UnderflowError], tuple[str, float]]:
        """Both arguments: workers send their errors as pickles."""
        return type(self), (str(self), self.missing_bits)


class TooFlatError(BbansError):
    """A tile with so little in it that its message does not fill the lanes that a decoder of
    bounded time needs.
    """

    exit_code = 8


class IntervalError(BbansError, ValueError):
    """An interval that cannot be coded: a frequency of zero, or an end beyond 2^precision."""
