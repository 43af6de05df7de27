"""Metadata of an image: chunks of a kind, a flag and a payload; their rules, and their bytes in
files and archives.

The bytes of the chunks are a body. A file of one image has a section of its own for them,
compressed if that makes it smaller. In an archive the body is part of an item's entry in the index.

Specification: `docs/format.md`.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from bbans.container.binary import Buffer, Cursor, check_crc, inflate, require, varint, with_crc
from bbans.container.tiff_tags import read_tags
from bbans.errors import FormatError, VersionError

ICC_PROFILE, EXIF, XMP, TEXT, PNG_CHUNK, PNG_CHUNK_AFTER_PIXELS, SAMPLES, TIFF_TAGS = range(1, 9)
METADATA_KINDS = frozenset(
    {ICC_PROFILE, EXIF, XMP, TEXT, PNG_CHUNK, PNG_CHUNK_AFTER_PIXELS, SAMPLES, TIFF_TAGS}
)
MAX_METADATA_BYTES = 2**26  # after decompression
MAX_METADATA_CHUNKS = 2**16
MAX_METADATA_KIND = 2**7 - 1


@dataclass(frozen=True, slots=True)
class MetadataChunk:
    """A piece of information besides the pixels: its kind (ICC_PROFILE, EXIF, ...) and payload.

    A reader refuses a critical chunk of a kind that it does not know, and keeps an ancillary one.

    Examples:
        >>> MetadataChunk(TEXT, critical=False, payload=b"Comment").kind
        4
    """

    kind: int
    critical: bool
    payload: bytes


def check_metadata(chunks: Sequence[MetadataChunk]) -> None:
    """Raises FormatError unless the chunks keep the rules, and VersionError on a critical chunk of
    an unknown kind.

    Examples:
        >>> check_metadata([MetadataChunk(TEXT, False, b"Comment")])
    """
    require("number of metadata chunks", len(chunks), 0, MAX_METADATA_CHUNKS)
    for chunk in chunks:
        require("metadata kind", chunk.kind, 1, MAX_METADATA_KIND)
        if chunk.critical and chunk.kind not in METADATA_KINDS:
            raise VersionError(
                f"critical metadata of kind {chunk.kind} is unknown to this release: use a newer "
                "bbans"
            )
        if chunk.kind == TIFF_TAGS:
            if chunk.critical:
                raise FormatError("TIFF tags are metadata that is not critical, found them so")
            read_tags(chunk.payload)
        name = chunk.payload[:4]
        if chunk.kind in (PNG_CHUNK, PNG_CHUNK_AFTER_PIXELS) and not (
            len(name) == 4 and name.isalpha() and name.isascii()
        ):
            raise FormatError(
                "a PNG chunk in the metadata must start with its four letters, found "
                f"{name.hex(' ') or 'nothing'}"
            )
    if sum(chunk.kind == TIFF_TAGS for chunk in chunks) > 1:
        raise FormatError("an image has TIFF tags once, found them several times")


def chunks_body(chunks: tuple[MetadataChunk, ...]) -> bytes:
    r"""Encodes chunks as a body. Raises FormatError if it would exceed MAX_METADATA_BYTES.

    Examples:
        >>> chunks_body((MetadataChunk(TEXT, False, b"abc"),))
        b'\x04\x03abc'
    """
    body = b"".join(
        bytes([chunk.kind | chunk.critical << 7]) + varint(len(chunk.payload)) + chunk.payload
        for chunk in chunks
    )
    if len(body) > MAX_METADATA_BYTES:
        raise FormatError(
            f"metadata may have {MAX_METADATA_BYTES} bytes, found {len(body)}: strip it"
        )
    return body


def read_chunks(body: bytes) -> tuple[MetadataChunk, ...]:
    """Decodes the chunks of a body and checks them: the inverse of `chunks_body`.

    Raises FormatError, VersionError on a critical chunk of an unknown kind, and TruncatedError.

    Examples:
        >>> read_chunks(chunks_body((MetadataChunk(TEXT, False, b"abc"),)))[0].payload
        b'abc'
    """
    cursor = Cursor(body, "metadata")
    chunks: list[MetadataChunk] = []
    while cursor.remaining:
        if len(chunks) == MAX_METADATA_CHUNKS:
            raise FormatError(f"there may be {MAX_METADATA_CHUNKS} metadata chunks, found more")
        kind = cursor.u8()
        chunks.append(
            MetadataChunk(
                kind & 0x7F,
                bool(kind >> 7),
                cursor.take(cursor.varint("chunk length", MAX_METADATA_BYTES)),
            )
        )
    check_metadata(chunks)
    return tuple(chunks)


def metadata_section(chunks: tuple[MetadataChunk, ...]) -> bytes:
    """Encodes the metadata section of a file, empty if there are no chunks.

    Raises FormatError if the body would exceed MAX_METADATA_BYTES.

    Examples:
        >>> len(metadata_section((MetadataChunk(TEXT, False, b"abc"),)))  # 2 + 5 bytes, checksum
        11
    """
    if not chunks:
        return b""
    body = chunks_body(chunks)
    packed = zlib.compress(body, 9)
    if len(varint(len(packed))) + len(packed) < len(body):
        return with_crc(b"\x01" + varint(len(body)) + varint(len(packed)) + packed)
    return with_crc(b"\x00" + varint(len(body)) + body)


def read_metadata(data: Buffer, start: int) -> tuple[tuple[MetadataChunk, ...], int]:
    """Decodes the metadata section that begins at `start`; returns the chunks and the offset of its
    end.

    Raises FormatError on a section that breaks the rules: VersionError, TruncatedError or
    ChecksumError where these apply.

    Examples:
        >>> section = metadata_section((MetadataChunk(TEXT, False, b"abc"),))
        >>> read_metadata(section, 0)[1]
        11
    """
    cursor = Cursor(data, "metadata", start)
    method = cursor.u8()
    if method > 1:
        raise VersionError(
            f"metadata has compression {method}, unknown to this release (it knows 0 and 1): use "
            "a newer bbans"
        )
    size = cursor.varint("size", MAX_METADATA_BYTES)
    if not size:
        raise FormatError("the metadata section is empty: it must be left out")
    if not method:
        body = cursor.take(size)
        check_crc(cursor, start)
        return read_chunks(body), cursor.position
    before = cursor.position
    packed = cursor.take(cursor.varint("compressed size", MAX_METADATA_BYTES))
    if cursor.position - before >= size:
        raise FormatError("the metadata is compressed although that does not make it smaller")
    check_crc(cursor, start)
    return read_chunks(inflate(packed, size)), cursor.position
