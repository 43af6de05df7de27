"""zarr format 3 codec from arrays to bytes: `zarr.create_array(..., serializer=BBans(),
compressors=None)`.

Registered by entry point (group `zarr.codecs`, name `bbans`), so stores open wherever the package
is installed. Its configuration in an array's metadata is `model` (id in hexadecimal, or "none"),
`effort` and `channel_last`. `bbans.integrations.chunks` describes the bytes of a chunk.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

from zarr.abc.codec import ArrayBytesCodec
from zarr.registry import register_codec

from bbans.integrations.chunks import (
    ChunkCoder,
    chunk_coder,
    decode_chunk,
    encode_chunk,
    fitting,
    has_channels,
)

NAME = "bbans"


@dataclass(frozen=True, init=False)
class BBans(ArrayBytesCodec):
    """zarr codec of chunks of uint8 or uint16 `(..., H, W)` or `(..., H, W, C)`, C up to 4, as
    images.

    model: a name, a file, an id in hexadecimal, or "none"; it must be on the search path of models,
    since the array records only its id. effort: "fast", "default" or "max". verify: decode every
    chunk after encoding and compare. channel_last: whether the last axis is channels; None: it is
    for three axes or more with up to 4 entries in the last. Raises InputError on invalid options,
    and ModelNotFoundError.

    Examples:
        >>> BBans(model="none").to_dict()["configuration"]
        {'model': 'none', 'effort': 'default'}
    """

    is_fixed_size = False
    coder: ChunkCoder

    def __init__(
        self,
        *,
        model: str | Path | None = None,
        effort: str = "default",
        channel_last: bool | None = None,
        verify: bool = True,
    ) -> None:
        object.__setattr__(self, "coder", chunk_coder(model, effort, channel_last, verify))

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> BBans:
        """Build the codec from an array's metadata."""
        return cls(**data.get("configuration", {}))

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

    def evolve_from_array_spec(self, array_spec: Any) -> BBans:
        """Return the codec for chunks of a given shape, with `channel_last` resolved."""
        if self.coder.channel_last is not None:
            return self
        resolved = BBans.__new__(BBans)
        object.__setattr__(
            resolved, "coder", replace(self.coder, channel_last=has_channels(array_spec.shape))
        )
        return resolved

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: Any) -> int:
        """Raise NotImplementedError: the encoded size is not known in advance."""
        raise NotImplementedError

    async def _encode_single(self, chunk_data: Any, chunk_spec: Any) -> Any:
        data = await asyncio.to_thread(encode_chunk, self.coder, chunk_data.as_numpy_array())
        return chunk_spec.prototype.buffer.from_bytes(data)

    async def _decode_single(self, chunk_data: Any, chunk_spec: Any) -> Any:
        samples = await asyncio.to_thread(
            decode_chunk, chunk_data.to_bytes(), prod(chunk_spec.shape)
        )
        chunk = fitting(samples, chunk_spec.shape, chunk_spec.dtype.to_native_dtype())
        return chunk_spec.prototype.nd_buffer.from_numpy_array(chunk)


register_codec(NAME, BBans)
