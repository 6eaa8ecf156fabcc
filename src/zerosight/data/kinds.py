"""What a file is that no decoder here knows, so that a refusal says whether it is damaged or not read."""

from __future__ import annotations

_PARTS = (
    (0, b"%PDF", "a PDF document"),
    (0, b"8BPS", "a Photoshop document"),
    (0, b"\0\0\1\0", "an icon"),
    (0, b"v/1\1", "an OpenEXR image"),
    (0, b"#?RADIANCE", "a Radiance image"),
    (0, b"\xff\x0a", "a JPEG XL image"),
    (0, b"\0\0\0\x0cJXL ", "a JPEG XL image"),
    (0, b"\x93NUMPY", "a NumPy array"),
    (0, b"\x89HDF", "an HDF5 file"),
    (0, b"PK\3\4", "a zip archive"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"FUJIFILMCCD-RAW", "a camera's raw image"),
    (0, b"IIRO", "a camera's raw image"),
    (0, b"DDS ", "a DDS texture"),
    (344, b"n+1\0", "a NIfTI volume"),
    (0, b"<svg", "an SVG drawing"),
    (0, b"<?xml", "an XML text"),
    (4, b"ftypavif", "an AVIF image"),
    (4, b"ftypavis", "an AVIF image"),
    *(
        (4, b"ftyp" + brand, "a HEIC image")
        for brand in (b"heic", b"heix", b"heim", b"hevc", b"mif1", b"msf1")
    ),
    (4, b"ftyp", "a video"),
    (0, b"\x1aE\xdf\xa3", "a video"),
)
_READ = (
    (b"\x89PNG", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"BM", "BMP"),
    (b"GIF8", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
)
LONGEST = 348
"""Bytes from which a kind is told."""


def foreign_kind(head: bytes) -> str | None:
    """Return what kind of file begins like this, None if none is known that is not read here.

    >>> foreign_kind(b"%PDF-1.7")
    'a PDF document'
    """
    return next((name for place, mark, name in _PARTS if head[place : place + len(mark)] == mark), None)


def known_kind(head: bytes) -> str | None:
    """Return the name of the format that begins like this and is read here, if any.

    >>> known_kind(b"GIF89a")
    'GIF'
    """
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    return next((name for mark, name in _READ if head.startswith(mark)), None)
