"""What is handed in is told by its bytes and loses what it says about place and person; the picture stays the same."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import pytest

from phongmay_store.cleaning import FileRefused, MediaType, clean

PICTURES = Path(__file__).parent / "pictures"
JPEG = (PICTURES / "two-colours.jpg").read_bytes()
PNG = (PICTURES / "two-colours.png").read_bytes()
SECRET = b"10.8012N 106.6533E Nguyen Van A"


def segment(marker: int, body: bytes) -> bytes:
    """Make a segment of a JPEG."""
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def exif(order: str, way: int) -> bytes:
    """Make an Exif block with a way up, an owner and a place."""
    mark = b"II" if order == "<" else b"MM"
    tiff = struct.pack(f"{order}2sHIH", mark, 42, 8, 2)
    tiff += struct.pack(f"{order}HHIHH", 0x0112, 3, 1, way, 0) + struct.pack(f"{order}HHII", 0x013B, 2, len(SECRET), 38)
    return b"Exif\x00\x00" + tiff + bytes(4) + SECRET


def chunk(name: bytes, body: bytes) -> bytes:
    """Make a part of a PNG."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def image_data(jpeg: bytes) -> bytes:
    """Give a JPEG from its first table on."""
    return jpeg[jpeg.index(b"\xff\xdb") :]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("way", [1, 3, 6, 8, 9])
def test_a_photograph_loses_everything_but_its_picture(order: str, way: int) -> None:
    """Exif, XMP, comments, maker's blocks and what stands behind the end are gone; the picture is the same bytes."""
    rich = JPEG[:2] + segment(0xE1, exif(order, way)) + segment(0xE1, b"http://ns.adobe.com/xap/1.0/\x00" + SECRET)
    rich += (
        segment(0xFE, SECRET) + segment(0xED, SECRET) + segment(0xE2, SECRET) + JPEG[2:] + b"\xff\xd8trailer" + SECRET
    )
    kind, kept = clean(rich)
    assert kind is MediaType.JPEG
    for word in (SECRET, b"xap", b"trailer"):
        assert word not in kept
    assert image_data(kept) == image_data(JPEG)
    turned = b"\x01\x12\x00\x03\x00\x00\x00\x01" + struct.pack(">H", way)
    assert (turned in kept) is (way in (3, 6, 8)), "a photograph taken upright must not lie on its side"
    assert clean(kept) == (kind, kept), "what is clean stays what it is, so its hash does too"


def test_a_png_loses_everything_but_its_picture() -> None:
    """Texts, times and Exif are gone; what makes the picture is the same bytes."""
    head, rest = PNG[:33], PNG[33:]
    extra = b"".join(chunk(name, SECRET) for name in (b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"tIME", b"iCCP", b"prVt"))
    kind, kept = clean(head + extra + rest + SECRET)
    assert kind is MediaType.PNG
    assert SECRET not in kept
    assert kept == clean(PNG)[1]
    assert kept.startswith(head)


def test_a_pdf_is_kept_as_it_is() -> None:
    """A PDF cannot be taken apart like that; its bytes stay."""
    payload = b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"
    assert clean(payload) == (MediaType.PDF, payload)


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"", "empty"),
        (b"<html><script>alert(1)</script>", "type"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "type"),
        (b"GIF89a" + bytes(40), "type"),
        (b"\x00\x00\x00\x18ftypheic" + bytes(40), "type"),
        (b" %PDF-1.4 %%EOF", "type"),
        (b"%PDF-1.4 and then nothing", "damaged"),
        (JPEG[:3], "damaged"),
        (JPEG[:-2], "damaged"),
        (JPEG[: JPEG.index(b"\xff\xda")], "damaged"),
        (JPEG[: JPEG.index(b"\xff\xda")] + b"\xff\xd9", "damaged"),
        (b"\xff\xd8\xffjpeg or not", "damaged"),
        (PNG[:-6], "damaged"),
        (PNG[:40] + b"X" + PNG[41:], "damaged"),
        (PNG[:8] + PNG[33:], "damaged"),
        (PNG[:33] + chunk(b"ABCD", b"") + PNG[33:], "damaged"),
    ],
)
def test_anything_else_is_refused(payload: bytes, code: str) -> None:
    """Only whole JPEG, PNG and PDF files by their bytes; a page, a drawing with script or half a file is not kept."""
    with pytest.raises(FileRefused) as refused:
        clean(payload)
    assert refused.value.code == code


@pytest.mark.parametrize("payload", [JPEG, PNG], ids=["jpeg", "png"])
def test_no_cut_gets_through_or_crashes(payload: bytes) -> None:
    """A file that was cut off anywhere is a sentence, never a traceback and never half a picture."""
    for length in range(len(payload) - 1):
        with pytest.raises(FileRefused):
            clean(payload[:length])
