"""What the samples of a file mean, where their pixel format does not say it: a metadata chunk of
kind 7, its rules and its bytes.

Specification: `docs/format.md`, Samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bbans.container.binary import Cursor, varint
from bbans.container.metadata import PNG_CHUNK, SAMPLES, MetadataChunk
from bbans.container.pixel_formats import PixelFormat
from bbans.errors import FormatError, VersionError

SIGNED, BOOLEAN, LAST_CHANNEL, LARGEST = 1, 2, 12, 16
"""Bits of the flags."""
ALPHA, PREMULTIPLIED, UNSPECIFIED = 0, 1, 2
"""What the last of 2 or 4 channels is."""
MAX_LARGEST = 2**16 - 2


@dataclass(frozen=True, slots=True)
class SampleRecord:
    """What samples mean. signed: they are coded with half of their range added. boolean: they are
    truth values. largest: the largest value that they may have, None for all of their bits.
    last_channel: ALPHA, PREMULTIPLIED or UNSPECIFIED.

    Examples:
        >>> SampleRecord(signed=True).critical, SampleRecord(largest=4095).critical
        (True, False)
    """

    signed: bool = False
    boolean: bool = False
    largest: int | None = None
    last_channel: int = ALPHA

    @property
    def critical(self) -> bool:
        """Return whether a reader that ignores the record shows other samples."""
        return self.signed or self.last_channel != ALPHA


PLAIN = SampleRecord()


def sample_chunks(record: SampleRecord) -> tuple[MetadataChunk, ...]:
    r"""Encodes a record as a chunk, or as none if it says nothing.

    Examples:
        >>> sample_chunks(SampleRecord(largest=4095))[0].payload
        b'\x10\xff\x1f'
    """
    if record == PLAIN:
        return ()
    flags = record.signed * SIGNED + record.boolean * BOOLEAN + record.last_channel * 4
    payload = bytes([flags])
    if record.largest is not None:
        payload = bytes([flags | LARGEST]) + varint(record.largest)
    return (MetadataChunk(SAMPLES, record.critical, payload),)


def _decoded(chunk: MetadataChunk) -> SampleRecord:
    """Decodes a chunk of kind 7."""
    cursor = Cursor(chunk.payload, "samples in the metadata")
    flags = cursor.u8()
    last = (flags & LAST_CHANNEL) >> 2
    if flags >> 5 or last > UNSPECIFIED:
        raise VersionError(
            f"the samples have flags {flags:#04x}, unknown to this release: use a newer bbans"
        )
    largest = cursor.varint("largest sample", MAX_LARGEST) if flags & LARGEST else None
    record = SampleRecord(bool(flags & SIGNED), bool(flags & BOOLEAN), largest, last)
    if cursor.remaining or record == PLAIN or chunk.critical != record.critical:
        raise FormatError(
            "a chunk about samples says nothing, has bytes left over or is critical where it need "
            "not be; the file is malformed"
        )
    return record


def record_of_samples(chunks: Sequence[MetadataChunk], pixel_format: PixelFormat) -> SampleRecord:
    """Returns what a file's samples mean by its chunks, after checking that it fits the format.

    Raises FormatError on a record that breaks the rules and on several, VersionError on unknown
    flags.

    Examples:
        >>> from bbans.container.pixel_formats import FORMATS
        >>> chunks = sample_chunks(SampleRecord(signed=True))
        >>> record_of_samples(chunks, FORMATS[4]) == SampleRecord(signed=True)
        True
    """
    found = [chunk for chunk in chunks if chunk.kind == SAMPLES]
    if not found:
        return PLAIN
    if len(found) > 1:
        raise FormatError(f"there may be one chunk about samples, found {len(found)}")
    record = _decoded(found[0])
    if not _fits(record, pixel_format, chunks):
        raise FormatError(
            f"samples of format {pixel_format.name} are not what the file says of them (signed "
            f"{record.signed}, boolean {record.boolean}, largest {record.largest}, last channel "
            f"{record.last_channel}); the file is malformed"
        )
    return record


def _fits(record: SampleRecord, pixel_format: PixelFormat, chunks: Sequence[MetadataChunk]) -> bool:
    """Whether a record goes with a pixel format and the other chunks."""
    channels, bits = pixel_format.channels, pixel_format.bit_depth
    if pixel_format.palette or (record.last_channel != ALPHA and channels not in (2, 4)):
        return False
    if record.boolean:
        lone = not record.signed and record.largest is None
        return lone and bits == (1 if channels == 1 else 8)
    if bits < 8 and (record.signed or record.largest is not None):
        return False
    if record.signed and any(c.kind == PNG_CHUNK and c.payload[:4] == b"tRNS" for c in chunks):
        return False
    full = 2 ** (bits - record.signed) - 1
    return record.largest is None or (not record.signed) <= record.largest < full
