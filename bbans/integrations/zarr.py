"""zarr format 3 codec from arrays to bytes: `zarr.create_array(..., serializer=BBans(),
compressors=None)`.

Registered by entry point (group `zarr.codecs`, name `bbans`), so stores open wherever the package
is installed. Its configuration in an array's metadata is `model` (id in hexadecimal, or "none"),
`effort` and `channel_last`. `bbans.integrations.chunks` describes the bytes of a chunk.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from zarr.abc.codec import ArrayBytesCodec
from zarr.registry import register_codec

from bbans.errors import InputError
from bbans.integrations.chunks import (
    ChunkCoder,
    check_dtype,
    chunk_coder,
    decode_chunk,
    encode_chunk,
    fitting,
)

NAME = "bbans"


@dataclass(frozen=True, init=False)
class BBans(ArrayBytesCodec):
    """zarr codec of chunks of bool or integers of 8 or 16 bits, `(..., H, W)` or `(..., H, W, C)`,
    C up to 4, as images.

    model: a name, a file, an id in hexadecimal, or "none"; it must be on the search path of models,
    since the array records only its id. effort: "fast", "default" or "max". verify: decode every
    chunk after encoding and compare. channel_last: whether the last axis is channels; None: it is
    for three axes or more with up to 4 entries in the last; the shape that counts is the one after
    the array's filters. filtered: whether a filter before the codec makes such integers of an array
    of another type; zarr shows a codec its array's type alone. Raises InputError on invalid options
    and, where an array is created, on its type, and ModelNotFoundError.

    Examples:
        >>> BBans(model="none").to_dict()["configuration"]
        {'model': 'none', 'effort': 'default'}
    """

    is_fixed_size = False
    coder: ChunkCoder
    filtered: bool = field(default=False, compare=False)

    def __init__(
        self,
        *,
        model: str | Path | None = None,
        effort: str = "default",
        channel_last: bool | None = None,
        verify: bool = True,
        filtered: bool = False,
    ) -> None:
        object.__setattr__(self, "filtered", filtered)
        object.__setattr__(self, "coder", chunk_coder(model, effort, channel_last, verify))

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> BBans:
        """Build the codec from an array's metadata; whether the array has filters was checked when
        it was made.
        """
        return cls(**data.get("configuration", {}), filtered=True)

    def to_dict(self) -> dict[str, Any]:
        """Return the codec's entry in an array's metadata."""
        configuration = {
            "model": self.coder.model,
            "effort": self.coder.effort,
            "channel_last": self.coder.channel_last,
        }
        return {
            "name": NAME,
            "configuration": {
                key: value for key, value in configuration.items() if value is not None
            },
        }

    def validate(self, *, shape: Any, dtype: Any, chunk_grid: Any) -> None:
        """Raise InputError on an array whose type is not coded, when zarr creates it."""
        try:
            check_dtype(_native(dtype))
        except InputError as error:
            if not self.filtered:
                raise InputError(
                    f"{error}; if a filter of the array makes such integers, say "
                    "BBans(filtered=True)"
                ) from None

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: Any) -> int:
        """Raise NotImplementedError: the encoded size is not known in advance."""
        raise NotImplementedError

    async def _encode_single(self, chunk_data: Any, chunk_spec: Any) -> Any:
        chunk = chunk_data.as_numpy_array()
        if chunk.size == prod(chunk_spec.shape):  # numcodecs' filters flatten a chunk
            chunk = chunk.reshape(chunk_spec.shape)
        chunk = chunk.astype(_little(chunk.dtype), copy=False)
        data = await asyncio.to_thread(encode_chunk, self.coder, chunk)
        return chunk_spec.prototype.buffer.from_bytes(data)

    async def _decode_single(self, chunk_data: Any, chunk_spec: Any) -> Any:
        samples = await asyncio.to_thread(
            decode_chunk, chunk_data.to_bytes(), prod(chunk_spec.shape)
        )
        dtype = chunk_spec.dtype.to_native_dtype()
        chunk = fitting(samples, chunk_spec.shape, _little(dtype)).astype(dtype, copy=False)
        return chunk_spec.prototype.nd_buffer.from_numpy_array(chunk)


def _little(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return a type as chunks are coded: little-endian."""
    little: np.dtype[Any] = dtype.newbyteorder("<")
    return little


def _native(dtype: Any) -> np.dtype[Any]:
    """Return the numpy type of zarr's data type, little-endian."""
    native: np.dtype[Any] = dtype.to_native_dtype()
    return _little(native)


register_codec(NAME, BBans)
