"""numcodecs codec `bbans`, for zarr format 2 and other users of numcodecs; registered by entry
point.

A chunk is coded in the order of its memory: one in Fortran order is coded as its transpose.
`bbans.integrations.chunks` describes the bytes of a chunk.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numcodecs.abc import Codec
from numcodecs.compat import ensure_bytes, ndarray_copy
from numcodecs.registry import register_codec

from bbans.integrations.chunks import chunk_coder, decode_chunk, encode_chunk


class BBans(Codec):  # type: ignore[misc]  # numcodecs has no types
    """numcodecs codec of arrays of bool or little-endian integers of 8 or 16 bits as images.

    model: a name, a file, an id in hexadecimal, or "none"; None: the default of the effort. effort:
    "fast", "default" or "max". verify: decode every chunk after encoding and compare. channel_last:
    whether the last axis is channels; None: it is for three axes or more with up to 4 entries in
    the last. Raises InputError on invalid options, and ModelNotFoundError.

    Decoding returns the samples along one axis, in the order of memory; the caller knows the shape.

    Examples:
        >>> codec = BBans(model="none")
        >>> codec.decode(codec.encode(np.array([[1, 2], [3, 4]], np.uint8)))
        array([1, 2, 3, 4], dtype=uint8)
    """

    codec_id = "bbans"

    def __init__(
        self,
        model: str | Path | None = None,
        effort: str = "default",
        channel_last: bool | None = None,
        verify: bool = True,
    ) -> None:
        self._coder = chunk_coder(model, effort, channel_last, verify)
        self.model, self.effort, self.channel_last = self._coder.model, effort, channel_last

    def encode(self, buf: Any) -> bytes:
        """Return the bytes of an array `(..., H, W)` or `(..., H, W, C)`; one of one axis, which
        is what numcodecs' filters make of any, is coded as a row.

        Raises InputError on arrays of other types and empty ones.
        """
        array = np.asarray(buf)
        return encode_chunk(
            self._coder,
            array.T if array.flags.f_contiguous and not array.flags.c_contiguous else array,
        )

    def decode(self, buf: Any, out: Any = None) -> Any:
        """Return the samples along one axis, or write them to `out`. Raises FormatError,
        ModelNotFoundError.
        """
        return ndarray_copy(decode_chunk(ensure_bytes(buf)), out)


register_codec(BBans)
