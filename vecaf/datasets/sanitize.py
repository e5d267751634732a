"""Remove private metadata (EXIF, XMP, comments) from image files without encoding pixels again.

JPEG segments and PNG or WebP chunks with EXIF, XMP, comments, maker notes or previews are removed.
Those that affect how pixels look are kept: color profile, Adobe transform, transparency, gamma.
The orientation is kept in an EXIF block that contains nothing else.

References: ITU T.81 annex B (JPEG), PNG 3rd edition, WebP container specification, EXIF 2.32
section 4.6.
"""

from __future__ import annotations

import re
import struct
import zlib

from vecaf.datasets.import_report import Refused

JPEG, PNG, WEBP, GIF, BMP = "JPEG", "PNG", "WEBP", "GIF", "BMP"
TIFF, HEIF, AVIF = "TIFF", "HEIF", "AVIF"


TRUNCATED = "it is truncated: the file ends in the middle of the image"
MAX_PARTS = 100_000  # segments or chunks per file; a 250 MB PNG from libpng has 32,000

_OTHER_FORMATS = (  # for the import report
    (b"II+\0", "BigTIFF"), (b"MM\0+", "BigTIFF"),
    (b"SIMPLE  =", "FITS"), (b"%PDF", "PDF"), (b"%!PS", "PostScript"), (b"8BPS", "Photoshop"),
    (b"PK\x03\x04", "ZIP"), (b"\x1f\x8b", "gzip"), (b"\0\0\1\0", "icon"),
    (b"\x76\x2f\x31\x01", "EXR"),
)  # fmt: skip


def sniff(head: bytes) -> str:
    """Return the format of a file, given its first bytes, under Pillow's name of it.

    Raises Refused, with the reason, for any other format.
    """
    if head.startswith(b"\xff\xd8\xff"):
        return JPEG
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return PNG
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return WEBP
    if head.startswith((b"GIF87a", b"GIF89a")):
        return GIF
    if head.startswith(b"BM") and len(head) >= 18 and head[14:18] in _BMP_HEADERS:
        return BMP
    if head.startswith((b"II*\0", b"MM\0*")):
        return TIFF
    if head[4:8] == b"ftyp" and (kind := _iso_media(head)):
        return kind
    if not head:
        raise Refused("it is empty")
    raise Refused(f"{_other(head)} not a JPEG, PNG, WebP, GIF, BMP, TIFF, HEIC or AVIF image")


_AVIF = {b"avif", b"avis"}
_HEIF = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}


def _iso_media(head: bytes) -> str:
    """Return HEIF or AVIF by the brands in the first box of the file, or ""."""
    size = min(int.from_bytes(head[:4], "big"), len(head))
    brands = {head[8:12]} | {head[at : at + 4] for at in range(16, size - 3, 4)}
    if brands & _AVIF:
        return AVIF
    return HEIF if brands & _HEIF else ""


_BMP_HEADERS = {struct.pack("<L", size) for size in (12, 40, 52, 56, 64, 108, 124)}


def _other(head: bytes) -> str:
    """Return the beginning of the reason: "it is a PDF file," if the format is known."""
    for magic, name in _OTHER_FORMATS:
        if head.startswith(magic):
            return f"it is a {name} file,"
    if head[4:8] == b"ftyp":
        return "it is a video file,"
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith((b"<svg", b"<?xml")):
        return "it is an SVG or XML file,"
    if text.startswith((b"<!doctype", b"<html")):
        return "it is an HTML file,"
    return "it is"


def sanitize(content: bytes, kind: str) -> tuple[bytes, int]:
    """Return a JPEG, PNG or WEBP file without metadata, and its EXIF orientation (1 to 8).

    Of an animated PNG, only the default image is kept. An animated WebP must be decoded instead;
    see `is_animated_webp`. Raises Refused if the file is damaged.
    """
    return {JPEG: _jpeg, PNG: _png, WEBP: _webp}[kind](content)


# In the entropy-coded data between two markers, 00 or a restart marker follows each FF.
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_KEPT = re.compile(rb"ICC_PROFILE\0|JFIF\0|Adobe")
_SCAN = b"\xff\xda"


def count_scans(content: bytes) -> int:
    """Return an upper bound on a JPEG's number of scans; a color profile may add matches."""
    return content.count(_SCAN)


def _check_parts(count: int) -> None:
    if count > MAX_PARTS:
        raise Refused(f"it has more than {MAX_PARTS:,} segments or chunks, the limit for one image")


def _jpeg(content: bytes) -> tuple[bytes, int]:
    kept = [b"\xff\xd8"]
    orientation = 1
    size = len(content)
    position = begun = 2  # the bytes between these are kept but not copied yet
    parts = 0
    while not content.startswith(b"\xff\xd9", position):
        _check_parts(parts := parts + 1)
        if position + 4 > size:
            raise Refused(TRUNCATED)
        fill, marker, high, low = content[position : position + 4]
        if fill != 0xFF:
            raise Refused("it is damaged: a JPEG marker is missing")
        if marker == 0xFF:  # remove fill bytes
            kept.append(content[begun:position])
            position = begun = position + 1
            continue
        end = position + 2 + (high << 8) + low
        if marker == 0xDA:  # a scan, whose data ends at the next marker
            found = _MARKER.search(content, end)
            if found is None:
                raise Refused(TRUNCATED)
            end = found.start()
        if end > size:
            raise Refused(TRUNCATED)
        # Remove application data and comments, with a few exceptions.
        if (0xE0 <= marker <= 0xEF or marker == 0xFE) and not (
            marker in (0xE0, 0xE2, 0xEE) and _KEPT.match(content, position + 4)
        ):
            if marker == 0xE1 and content.startswith(b"Exif\0", position + 4):
                orientation = _orientation(content[position + 10 : end])
            kept.append(content[begun:position])
            begun = end
        position = end
    kept.append(content[begun:position])
    if orientation != 1:
        exif = b"Exif\0\0" + _exif(orientation)
        kept.insert(1, b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif)
    return b"".join([*kept, b"\xff\xd9"]), orientation


_PNG_KEPT = {
    b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT",
    b"bKGD", b"pHYs", b"cICP",
}  # fmt: skip


def _png(content: bytes) -> tuple[bytes, int]:
    kept = [content[:8]]
    orientation = 1
    position = 8
    kind = b""
    parts = 0
    while kind != b"IEND":
        _check_parts(parts := parts + 1)
        if position + 12 > len(content):
            raise Refused(TRUNCATED)
        length, kind = struct.unpack_from(">L4s", content, position)
        end = position + 12 + length
        if end > len(content):
            raise Refused(TRUNCATED)
        if kind in _PNG_KEPT:
            kept.append(content[position:end])
        elif kind == b"eXIf":
            orientation = _orientation(content[position + 8 : end - 4])
        position = end
    if orientation != 1:
        body = b"eXIf" + _exif(orientation)
        block = struct.pack(">L", len(body) - 4) + body + struct.pack(">L", zlib.crc32(body))
        kept.insert(2, block)  # after IHDR, so that readers find it before the pixels
    return b"".join(kept), orientation


_VP8X_EXIF, _VP8X_XMP, _VP8X_ANIMATION = 0x08, 0x04, 0x02
_WEBP_KEPT = {b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ICCP"}


def is_animated_webp(content: bytes) -> bool:
    """Return whether a WebP file is animated; then its first frame must be decoded."""
    return content[12:16] == b"VP8X" and bool(content[20:21] and content[20] & _VP8X_ANIMATION)


def _webp(content: bytes) -> tuple[bytes, int]:
    total = 8 + struct.unpack_from("<L", content, 4)[0]
    if total > len(content):
        raise Refused(TRUNCATED)
    kept: list[bytes] = []
    orientation = 1
    position = 12
    parts = 0
    while position + 8 <= total:
        _check_parts(parts := parts + 1)
        kind, length = struct.unpack_from("<4sL", content, position)
        end = position + 8 + length + length % 2
        if end > total + 1:  # some programs omit the last padding byte
            raise Refused(TRUNCATED)
        if kind in _WEBP_KEPT:
            kept.append(content[position:end])
        elif kind == b"EXIF":
            body = content[position + 8 : position + 8 + length]
            orientation = _orientation(body.removeprefix(b"Exif\0\0"))
        position = end
    if kept and kept[0].startswith(b"VP8X") and len(kept[0]) == 18:
        flags = kept[0][8] & ~(_VP8X_EXIF | _VP8X_XMP)
        if orientation != 1:
            flags |= _VP8X_EXIF
            exif = _exif(orientation)
            kept.append(b"EXIF" + struct.pack("<L", len(exif)) + exif)
        kept[0] = kept[0][:8] + bytes([flags]) + kept[0][9:]
    else:
        orientation = 1  # only the extended format has metadata
    body = b"".join(kept)
    return b"RIFF" + struct.pack("<L", len(body) + 4) + b"WEBP" + body, orientation


ORIENTATION = 0x0112


def _orientation(tiff: bytes) -> int:
    """Return the orientation in an EXIF block; 1 if it is missing or invalid."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None or len(tiff) < 8:
        return 1
    start = struct.unpack_from(order + "L", tiff, 4)[0]
    if start + 2 > len(tiff):
        return 1
    count = struct.unpack_from(order + "H", tiff, start)[0]
    for at in range(start + 2, min(start + 2 + 12 * count, len(tiff) - 11), 12):
        tag, kind = struct.unpack_from(order + "HH", tiff, at)
        if tag == ORIENTATION:
            value: int = struct.unpack_from(order + "H", tiff, at + 8)[0]
            return value if kind == 3 and 1 <= value <= 8 else 1
    return 1


def _exif(orientation: int) -> bytes:
    """Return an EXIF block of 26 bytes that contains only the orientation."""
    entry = struct.pack("<HHLHH", ORIENTATION, 3, 1, orientation, 0)
    return b"II*\0" + struct.pack("<LH", 8, 1) + entry + struct.pack("<L", 0)
