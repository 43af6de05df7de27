"""Pillow plugin: after `import bbans.integrations.pillow`, `Image.open("x.bbans")` reads and
`image.save("x.bbans")` writes files of this package.

Pillow does not find external plugins by entry point. The import registers the format BBANS, its
suffix, MIME type and magic bytes in Pillow's tables. Opening reads the header, the metadata and the
table of contents, from a path or any seekable file object; pixels are decoded on first access. Of a
file that holds a JPEG, opening restores the JPEG, which has the metadata; saving makes a file of
the pixels, as of any other image.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any, BinaryIO, cast

from PIL import Image, ImageFile, ImagePalette, UnidentifiedImageError

from bbans import container, images
from bbans.errors import BbansError
from bbans.files import decoder, encoder, jpeg
from bbans.files.metadata import from_chunks, kind_of_samples
from bbans.images import metadata
from bbans.images.image import check_colours, palette_entries
from bbans.images.pillow_convert import pillow_info, pillow_mode

FORMAT, SUFFIX, MIME = "BBANS", ".bbans", "image/x-bbans"
ANY_SIZE = sys.maxsize  # no limit on pixels: Pillow checks PIL.Image.MAX_IMAGE_PIXELS itself
SAVE_OPTIONS = ("model", "effort", "verify", "threads")
# Metadata that `save` takes by keyword: the kind of its chunk, and the function that makes it.
METADATA: dict[str, tuple[str, Callable[[Any], images.PngChunk]]] = {
    "icc_profile": ("iCCP", metadata.icc_chunk),
    "dpi": ("pHYs", metadata.resolution_chunk),
    "exif": (
        "eXIf",
        lambda exif: metadata.exif_chunk(exif.tobytes() if isinstance(exif, Image.Exif) else exif),
    ),
    "xmp": (
        "iTXt",
        lambda packet: metadata.xmp_chunk(packet.encode() if isinstance(packet, str) else packet),
    ),
}


@contextmanager
def _as_pillow(kind: type[OSError] = OSError) -> Iterator[None]:
    """Turn errors of this package into the errors that Pillow's callers expect."""
    try:
        yield
    except BbansError as error:
        raise kind(str(error)) from error


class BbansImageFile(ImageFile.ImageFile):
    """An opened file. `text` maps keywords to texts, as for Pillow's PNG files.

    Raises UnidentifiedImageError on damage before the pixels, and OSError on samples for which
    Pillow has no mode, on damaged pixels and on a missing model.
    """

    format = FORMAT
    format_description = "bbans lossless image"
    text: Mapping[str, str]

    def _open(self) -> None:
        with _as_pillow(UnidentifiedImageError):
            index = container.read_index(self._data(), ANY_SIZE)
            pixel_format = container.FORMATS[index.header.pixel_format]
            chunks = self._chunks(index)
            samples = kind_of_samples(index.metadata, pixel_format)
            check_colours(pixel_format.channels, chunks, pixel_format.palette)
            info, self.text = (
                pillow_info(chunks, pixel_format.bit_depth, pixel_format.palette),
                metadata.to_texts(chunks),
            )
            entries = palette_entries(chunks)
        with _as_pillow():
            self._mode = pillow_mode(
                pixel_format.channels, pixel_format.bit_depth, pixel_format.palette, samples
            )
        self._size = index.header.width, index.header.height
        self.info.update(self.text)
        self.info.update(info)
        if pixel_format.palette and entries is not None:
            self.palette = ImagePalette.raw("RGB", entries)
        self.tile = [(FORMAT, (0, 0, *self._size), 0, ())]  # type: ignore[list-item]  # a tuple in every version of Pillow

    def _chunks(self, index: container.Index) -> tuple[images.PngChunk, ...]:
        """Return the metadata of the file, or of the JPEG that it holds."""
        if index.jpeg is None:
            return from_chunks(index.metadata)
        return images.read_jpeg_metadata(jpeg.restored(self._data(), index))

    def _data(self) -> container.FileBuffer:
        return container.FileBuffer(cast(BinaryIO, self.fp))

    def verify(self) -> None:
        """Verify the checksums of the compressed pixels without decoding them. Raises OSError on a
        mismatch.

        The image has to be opened anew afterwards.
        """
        with _as_pillow():
            data = self._data()
            index = container.read_index(data, ANY_SIZE)
            if index.jpeg is not None:
                container.read_jpeg_payload(data, index.jpeg)
            for number in range(len(index.entries)):
                container.read_tile(data, index, number)
        super().verify()


class _Decoder(ImageFile.PyDecoder):
    """Decodes all pixels at once."""

    _pulls_fd = True

    def decode(self, buffer: Any) -> tuple[int, int]:
        """Decode the file and set the image's samples; called by Pillow."""
        with _as_pillow():
            image = decoder.decompress_image(
                container.FileBuffer(cast(BinaryIO, self.fd)), max_pixels=ANY_SIZE
            )
            samples = images.to_pillow(image)
        self.set_as_raw(samples.tobytes(), samples.mode)
        return -1, 0


def _save(source: Image.Image, file: IO[bytes], filename: str | bytes) -> None:
    """Write an image; called by `Image.save` with its keywords in `source.encoderinfo`."""
    options: dict[str, Any] = source.encoderinfo
    with _as_pillow():
        image = with_metadata(images.from_pillow(source, ANY_SIZE), options)
        file.write(
            encoder.compress(
                image, **{name: options[name] for name in SAVE_OPTIONS if name in options}
            )
        )


def with_metadata(image: images.Image, options: Mapping[str, Any]) -> images.Image:
    """Return the image with `icc_profile`, `exif`, `xmp` or `dpi` replaced by those in `options`
    (None: removed), and the entries of `text` added.

    Examples:
        >>> import numpy as np
        >>> image = images.from_array(np.zeros((2, 3), np.uint8))
        >>> [chunk.kind for chunk in with_metadata(image, {"dpi": (300, 300)}).metadata]
        ['pHYs']
    """
    chunks = image.metadata
    for name, (kind, chunk) in METADATA.items():
        if name in options:
            own = metadata.XMP_KEYWORD if name == "xmp" else b""
            chunks = tuple(c for c in chunks if c.kind != kind or not c.payload.startswith(own))
            chunks += (chunk(options[name]),) if options[name] else ()
    texts = options.get("text") or {}
    chunks += tuple(metadata.text_chunk(key, text) for key, text in texts.items())
    colours = tuple(c for c in chunks if c.kind in metadata.COLOURS)
    ordered_chunks = metadata.with_colours(
        tuple(c for c in chunks if c.kind not in metadata.COLOURS), colours
    )
    return images.rebuilt(image, metadata=ordered_chunks)


Image.register_open(FORMAT, BbansImageFile, lambda prefix: prefix.startswith(container.MAGIC))
Image.register_decoder(FORMAT, _Decoder)
Image.register_save(FORMAT, _save)
Image.register_extension(FORMAT, SUFFIX)
Image.register_mime(FORMAT, MIME)
