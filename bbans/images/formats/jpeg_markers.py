"""The structure of a JPEG file: its marker segments, its frame and its end (ITU-T T.81, annex B).

A file is a sequence of marker segments: two bytes FF xx and, but for a few, a big-endian length of
what follows, itself included. Entropy-coded data follow each SOS segment; in them FF is followed by
00, by a restart marker, or by the next segment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from bbans.errors import InputError, UnsupportedImageError

SOI, EOI, SOS, DNL, COM, DHT, JPG, DAC = 0xD8, 0xD9, 0xDA, 0xDC, 0xFE, 0xC4, 0xC8, 0xCC
FRAMES = frozenset(range(0xC0, 0xD0)) - {DHT, JPG, DAC}
"""Start of a frame: baseline, progressive, lossless and others, by Huffman or arithmetic codes."""
JPEG_LS = 0xF7
APPLICATION = range(0xE0, 0xF0)
ALONE = frozenset({0x01, *range(0xD0, 0xD8), SOI, EOI})
"""Markers without a length."""
NEXT_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])", re.DOTALL)
"""What ends entropy-coded data: a marker other than a restart."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A marker, and where in the file its segment, what follows its length, and its end are. The
    segment of SOS ends with its parameters: entropy-coded data belong to no segment.
    """

    marker: int
    start: int
    body: int
    end: int


@dataclass(frozen=True, slots=True)
class Frame:
    """What a JPEG says of its image: sides in pixels, number of components, bits of a sample."""

    width: int
    height: int
    components: int
    precision: int


def segments(data: bytes) -> Iterator[Segment]:
    r"""Yield the segments from SOI to EOI; where the file is damaged or ends early, those before.

    Examples:
        >>> [hex(segment.marker) for segment in segments(b"\xff\xd8\xff\xfe\0\3x\xff\xd9rest")]
        ['0xd8', '0xfe', '0xd9']
    """
    at = 0
    while True:
        start = at
        while data[at : at + 2] == b"\xff\xff":  # fill bytes
            at += 1
        if len(data) < at + 2 or data[at] != 0xFF:
            return
        marker = data[at + 1]
        body = end = at + 2
        if marker not in ALONE:
            length = int.from_bytes(data[at + 2 : at + 4], "big")
            body, end = at + 4, at + 2 + length
            if length < 2 or end > len(data):
                return
        yield Segment(marker, start, body, end)
        if marker == EOI:
            return
        at = end
        if marker == SOS:
            following = NEXT_MARKER.search(data, end)
            if following is None:
                return
            at = following.start()


def read_frame(data: bytes) -> Frame:
    r"""Return what the first frame header of a JPEG says.

    Raises InputError on a file without one, UnsupportedImageError on JPEG-LS.

    Examples:
        >>> read_frame(b"\xff\xd8\xff\xc0\0\x0b\x08\0\2\0\3\1\1\x11\0")
        Frame(width=3, height=2, components=1, precision=8)
    """
    frame: Frame | None = None
    for segment in segments(data):
        body = data[segment.body : segment.end]
        if segment.marker == JPEG_LS:
            raise UnsupportedImageError("a file of format JPEG-LS is not read: convert it to PNG")
        if segment.marker in FRAMES:
            if len(body) < 6:
                break
            frame = Frame(
                int.from_bytes(body[3:5], "big"),
                int.from_bytes(body[1:3], "big"),
                body[5],
                body[0],
            )
            if frame.height:
                break
        elif segment.marker == DNL and frame is not None and len(body) == 2:
            frame = Frame(
                frame.width, int.from_bytes(body, "big"), frame.components, frame.precision
            )
            break
        elif segment.marker == SOS and frame is None:
            break
    if frame is None or not (frame.width and frame.height and frame.components):
        raise InputError(
            "damaged JPEG: a frame with sides was expected before its data, found none"
        )
    return frame
