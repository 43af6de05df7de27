"""numcodecs codec `bbans`, for zarr format 2 and whatever else keeps arrays through numcodecs;
found by entry point.

Chunks keep the order of their memory: one in Fortran order is coded as its transpose. What a
chunk's bytes are: `bbans.integrations.chunks`.
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
    """Arrays of uint8 or little-endian uint16 as images; arguments and errors are those of
    `bbans.integrations.zarr.BBans`.

    Decoding gives the samples in one axis, in the order of memory; who asked knows the shape.
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
        """The bytes of an array. Raises InputError."""
        array = np.asarray(buf)
        return encode_chunk(
            self._coder,
            array.T if array.flags.f_contiguous and not array.flags.c_contiguous else array,
        )

    def decode(self, buf: Any, out: Any = None) -> Any:
        """Inverse of `encode`. Raises FormatError, ModelNotFoundError."""
        return ndarray_copy(decode_chunk(ensure_bytes(buf)), out)


register_codec(BBans)
