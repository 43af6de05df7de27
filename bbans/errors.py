"""All errors that this package raises, each with its exit code on the command line.

The text of an error is one line: what was expected, what was found, and what to do.
"""

from __future__ import annotations


class BbansError(Exception):
    """Base class of all errors of this package. exit_code: exit code of the command `bbans`."""

    exit_code = 1


class InputError(BbansError):
    """An image or option cannot be used: unreadable, of an unsupported kind, or not an image."""

    exit_code = 3


class UnsupportedImageError(InputError):
    """A valid image is of a kind that is not supported: floating point, CMYK, animation, ..."""


class JpegInputError(InputError):
    """A lossy file such as a JPEG was given without a request to code its decoded pixels, which
    need more bytes than the file itself.
    """


class NoCodecError(InputError):
    """A posterior can be trained, but there is no codec for it."""


class EngineError(InputError):
    """`BBANS_ENGINE` names an engine that this machine does not have."""


class OutputExistsError(BbansError):
    """The output exists already, and overwriting was not requested."""

    exit_code = 4


class OutputError(BbansError):
    """The output cannot be written."""

    exit_code = 4


class FormatError(BbansError):
    """The bytes are not a valid compressed file or archive."""

    exit_code = 5


class NotBbansError(FormatError):
    """The magic bytes are missing."""


class VersionError(FormatError):
    """The file has a format version, flag or codec that this release does not support."""


class TruncatedError(FormatError):
    """The file ends too early."""


class ChecksumError(FormatError):
    """A checksum does not match: the file is damaged."""


class DamagedTilesError(FormatError):
    """A damaged file was restored as far as possible, and tiles or images are missing."""


class TrailingDataError(FormatError):
    """There are bytes after the end of the file's structure, or words left in a decoded message."""


class LimitError(FormatError):
    """The file holds more pixels or images than the caller allows; nothing was decoded."""


class ModelError(BbansError):
    """A model cannot be used."""

    exit_code = 6


class ModelNotFoundError(ModelError):
    """The model that a file or an option names is not on the search path."""


class ModelFormatError(ModelError):
    """A model file is malformed."""


class AccumulatorBoundError(ModelError):
    """Sums of a layer may exceed the range in which float arithmetic on integers is exact."""


class VerificationError(BbansError):
    """The encoder's output did not decode to the input; nothing was written."""

    exit_code = 7


class ClusterError(BbansError):
    """A dask cluster cannot be reached, or its workers cannot do the work."""

    exit_code = 9


class NotTakenError(BbansError):
    """An archive was written without some of the files it was to hold.

    The command line ends with it; `bbans.create_archive` returns these files instead.
    """

    exit_code = 11


class OutOfMemoryError(BbansError):
    """The command line ran out of memory or threads.

    Functions of the package raise the original error instead, usually MemoryError.
    """

    exit_code = 10


class UnderflowError(BbansError):
    """A symbol was popped from a message that holds too few bits.

    missing_bits: a lower bound of the number of missing bits.
    """

    exit_code = 8

    def __init__(self, message: str, missing_bits: float) -> None:
        super().__init__(message)
        self.missing_bits = missing_bits

    def __reduce__(self) -> tuple[type[UnderflowError], tuple[str, float]]:
        """Return what pickle needs: both arguments, since workers send their errors pickled."""
        return type(self), (str(self), self.missing_bits)


class TooFlatError(BbansError):
    """A message is too short for the number of lanes that bounds the decoder's time."""

    exit_code = 8


class IntervalError(BbansError, ValueError):
    """An interval cannot be coded: its frequency is 0, or its end is beyond 2^precision."""
