"""What a photograph or paper is, by its bytes, and without what it tells about place and person.

In: the bytes of a file. Out: its media type and the bytes to keep, or a FileRefused that says what to hand in instead.
JPEG and PNG are taken apart and only the parts that make the picture are kept: no Exif (place, time, camera, owner),
no XMP, no comments, no thumbnail, nothing behind the picture's end. The way up (Exif orientation) is kept, as a number
of its own. The picture itself is not decoded: nothing is lost, nothing can unfold. A PDF is kept as it is.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from enum import StrEnum

from phongmay_store.errors import StoreError

_JPEG, _PNG, _PDF = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"%PDF-"
_PNG_PARTS = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"sBIT", b"pHYs"})
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD8)})
_ADOBE = 0xEE
_SCAN, _END = 0xDA, 0xD9
_PICTURE_PARTS = frozenset({*range(0xC0, 0xD0), 0xDB, 0xDC, 0xDD, _ADOBE}) - {0xC8}
"""Tables and frames of a JPEG, and Adobe's mark, without which the colours of some files come out wrong."""
_JFIF = b"\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
"""In the place of the file's own, which may hold a small picture."""


class MediaType(StrEnum):
    """What may be handed in."""

    JPEG = "image/jpeg"
    PNG = "image/png"
    PDF = "application/pdf"

    @property
    def ending(self) -> str:
        """Ending of a file name."""
        return {"image/jpeg": "jpg", "image/png": "png", "application/pdf": "pdf"}[self.value]


class FileRefused(StoreError):
    """A file is none of those that may be handed in, or is damaged.

    Attributes:
        code: `type`, `damaged`, `empty` or `large`, for a sentence in the reader's language.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def clean(payload: bytes) -> tuple[MediaType, bytes]:
    """Tell what a file is, and give what of it may be kept.

    Raises:
        FileRefused: it is no JPEG, PNG or PDF, or a damaged one.
    """
    if not payload:
        raise FileRefused("empty", "the file is empty; choose another")
    try:
        if payload.startswith(_JPEG):
            return MediaType.JPEG, b"".join(_jpeg(payload))
        if payload.startswith(_PNG):
            return MediaType.PNG, b"".join(_png(payload))
    except (struct.error, IndexError) as error:
        raise FileRefused("damaged", "the picture ends in the middle; send the original file again") from error
    if payload.startswith(_PDF):
        if b"%%EOF" not in payload[-2048:]:
            raise FileRefused("damaged", "the PDF ends in the middle; send the original file again")
        return MediaType.PDF, payload
    raise FileRefused("type", "the file is no JPEG, PNG or PDF by its content; save it as one of these and try again")


def _jpeg(data: bytes) -> Iterator[bytes]:
    yield data[:2]
    at, turned, has_scan = 2, False, False
    while True:
        if data[at] != 0xFF:
            raise FileRefused("damaged", "the JPEG is damaged; send the original file again")
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        if marker == _END:
            if not has_scan:
                raise FileRefused("damaged", "the JPEG holds no picture; send the original file again")
            yield data[at : at + 2]
            return
        if marker in _STANDALONE:
            at += 2
            continue
        length = struct.unpack_from(">H", data, at + 2)[0]
        end = at + 2 + length
        if length < 2 or end > len(data):
            raise IndexError(at)
        segment = data[at:end]
        if marker == 0xE0 and segment[4:9] == b"JFIF\x00":
            yield _JFIF
        elif marker == 0xE1 and not turned and (way := _orientation(segment[4:])) is not None:
            turned = True
            yield _turned(way)
        elif marker in _PICTURE_PARTS:
            yield segment
        at = end
        if marker == _SCAN:
            has_scan, at = True, _scan_end(data, end)
            yield segment + data[end:at]


def _scan_end(data: bytes, at: int) -> int:
    """Find the marker behind coded data; FF 00 is an escaped byte and FF D0 to FF D7 are restarts within."""
    while True:
        at = data.find(b"\xff", at)
        if at < 0:
            raise IndexError(at)
        if data[at + 1] != 0 and not 0xD0 <= data[at + 1] <= 0xD7:
            return at
        at += 2


def _orientation(segment: bytes) -> int | None:
    """Give the Exif orientation (2 to 8) of an APP1 segment; None = the picture stands upright or says nothing."""
    if not segment.startswith(b"Exif\x00\x00"):
        return None
    tiff = segment[6:]
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return None
    try:
        start = struct.unpack_from(f"{order}I", tiff, 4)[0]
        for number in range(struct.unpack_from(f"{order}H", tiff, start)[0]):
            tag, kind, count, value = struct.unpack_from(f"{order}HHIH", tiff, start + 2 + 12 * number)
            if (tag, kind, count) == (0x0112, 3, 1):
                return int(value) if 2 <= value <= 8 else None
    except struct.error:
        return None  # Exif that cannot be read is dropped like any other
    return None


def _turned(way: int) -> bytes:
    """Make an APP1 segment that says the way up and nothing else."""
    body = b"Exif\x00\x00" + struct.pack(">2sHIHHHIHHI", b"MM", 42, 8, 1, 0x0112, 3, 1, way, 0, 0)
    return struct.pack(">HH", 0xFFE1, len(body) + 2) + body


def _png(data: bytes) -> Iterator[bytes]:
    yield data[:8]
    at = 8
    while True:
        length, name = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data) or struct.unpack_from(">I", data, end - 4)[0] != zlib.crc32(data[at + 4 : end - 4]):
            raise FileRefused("damaged", "the PNG is damaged; send the original file again")
        if (name == b"IHDR") != (at == 8):
            raise FileRefused("damaged", "the PNG is damaged; send the original file again")
        if name in _PNG_PARTS:
            yield data[at:end]
        elif not name[0] & 0x20:  # a critical part that this program does not know
            raise FileRefused("damaged", "the PNG has parts that are not known here; save it anew and try again")
        if name == b"IEND":
            return
        at = end
