"""Raw LZMA2 streams, by Python's standard library: what no method for JPEGs can take."""

from __future__ import annotations

import lzma
from typing import Any

from bbans.errors import FormatError

DICTIONARY = 2**24
"""Largest dictionary in bytes; bounds the decoder's memory."""
SMALLEST_DICTIONARY = 2**12


def _filters(dictionary: int) -> list[dict[str, Any]]:
    return [{"id": lzma.FILTER_LZMA2, "preset": 9, "dict_size": dictionary}]


def pack(raw: bytes) -> bytes:
    """Compress bytes.

    Examples:
        >>> unpack(pack(b"abc" * 100), 300) == b"abc" * 100
        True
    """
    # A dictionary as large as the bytes finds every match; a larger one costs time.
    dictionary = min(max(SMALLEST_DICTIONARY, 1 << len(raw).bit_length()), DICTIONARY)
    return lzma.compress(raw, lzma.FORMAT_RAW, filters=_filters(dictionary))


def unpack(packed: bytes, size: int) -> bytes:
    """Decompress a stream to exactly `size` bytes; at most one byte more is ever computed.

    Raises FormatError on damaged data or another size.

    Examples:
        >>> unpack(pack(bytes(300)), 299)
        Traceback (most recent call last):
        bbans.errors.FormatError: an LZMA stream of a JPEG does not make 299 bytes; ...
    """
    decoder = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=_filters(DICTIONARY))
    try:
        raw = decoder.decompress(packed, size + 1)
    except (lzma.LZMAError, EOFError) as error:
        raise FormatError(f"an LZMA stream of a JPEG cannot be decoded: {error}") from error
    if len(raw) != size or not decoder.eof or decoder.unused_data:
        raise FormatError(
            f"an LZMA stream of a JPEG does not make {size} bytes; the file is damaged"
        )
    return raw
