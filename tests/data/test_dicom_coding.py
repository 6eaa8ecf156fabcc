"""DICOM files that would end a decoder, keep the parser busy, or are of a kind that is not read."""

from __future__ import annotations

import io
import struct
import time
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmwrite, uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate

from zerosight.data import dicom_decoders
from zerosight.data.dicom_frame import FrameHeader, frame_header
from zerosight.data.dicom_palette import unfold_segments
from zerosight.data.pixels import read_image
from zerosight.errors import ImageReadError
from zerosight.guarded.dicom import check_elements, read_beginning


def coded(frame: bytes, syntax: str, rows: int = 8, columns: int = 8, stored: int = 8) -> bytes:
    """Return a DICOM file around a coded frame of grey pixels."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = uid.SecondaryCaptureImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = "1.2.3"
    dataset.Rows, dataset.Columns = rows, columns
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored = 8 if stored <= 8 else 16, stored
    dataset.HighBit, dataset.PixelRepresentation = stored - 1, 0
    dataset.PixelData = encapsulate([frame])
    dataset["PixelData"].VR, dataset["PixelData"].is_undefined_length = "OB", True
    buffer = io.BytesIO()
    dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def frame_of(marker: int, bits: int, width: int = 8, height: int = 8, samples: int = 1) -> bytes:
    """Return a frame that has a header and then nothing sensible."""
    fields = struct.pack(">BHHB", bits, height, width, samples) + b"\1\x11\0"
    return b"\xff\xd8\xff" + bytes([marker]) + struct.pack(">H", len(fields) + 2) + fields + bytes(64)


def refusal(content: bytes) -> str:
    with pytest.raises(ImageReadError) as refused:
        read_image(content)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_a_frame_header_is_read() -> None:
    assert frame_header(frame_of(0xC0, 8, 5, 6, 3)) == FrameHeader(8, 5, 6, 3)
    for damaged in (b"", b"\xff\xd8", b"\xff\xd8\xff\xc0\0\x0b\x08", b"\xff\xd8\0\0", b"GIF89a"):
        assert frame_header(damaged) is None


@pytest.mark.parametrize("syntax", [uid.JPEGLSLossless, uid.JPEGLosslessSV1, uid.JPEGBaseline8Bit])
def test_a_frame_that_claims_another_size_never_reaches_a_decoder(syntax: str) -> None:
    marker = {uid.JPEGLSLossless: 0xF7, uid.JPEGLosslessSV1: 0xC3}.get(syntax, 0xC0)
    told = refusal(coded(frame_of(marker, 8, 60_000, 60_000), syntax))
    assert "says 8 × 8 but holds 60000 × 60000 pixels" in told
    assert "128 bits per sample cannot be" in refusal(coded(frame_of(marker, 128), syntax))
    assert "but holds 3" in refusal(coded(frame_of(marker, 8, samples=3), syntax))
    assert "no frame header" in refusal(coded(bytes(64), syntax))


def test_kinds_that_no_decoder_reads_are_not_called_damaged() -> None:
    extended = refusal(coded(frame_of(0xC1, 12), uid.JPEGExtended12Bit, stored=12))
    assert "12 bits per sample, a kind that is not read" in extended
    assert "damaged" not in extended
    assert "6 or 7 bits" in refusal(coded(frame_of(0xF7, 7), uid.JPEGLSLossless, stored=7))
    assert "deflated DICOM file, a kind that is not read" in refusal(
        coded(frame_of(0xC0, 8), uid.JPEGBaseline8Bit).replace(
            b"1.2.840.10008.1.2.4.50", b"1.2.840.10008.1.2.1.99"
        )
    )


def test_a_decoder_that_ends_or_hangs_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    pytest.importorskip("gdcm")
    content = coded(frame_of(0xF7, 8), uid.JPEGLSLossless)
    for code, says in (("import os; os.abort()", "ended"), ("import time; time.sleep(60)", "took too long")):
        (tmp_path / "helper.py").write_text(code)
        monkeypatch.setattr(dicom_decoders, "_HELPER", tmp_path / "helper.py")
        monkeypatch.setattr(dicom_decoders, "TIME", 2.0)
        helper = dicom_decoders._Helper()
        monkeypatch.setattr(dicom_decoders, "_helper", lambda _, helper=helper: helper)
        assert f"its decoder {says}" in refusal(content)


def test_the_helper_is_used_again_and_survives_damage() -> None:
    gdcm = pytest.importorskip("gdcm")
    assert gdcm
    for _ in range(2):
        assert "damaged DICOM file" in refusal(coded(frame_of(0xC3, 8), uid.JPEGLosslessSV1))


def test_a_deflated_bomb_is_refused_before_it_is_inflated() -> None:
    head = b"1.2.840.10008.1.2.1.99"
    meta = struct.pack("<HH2sH", 2, 0x10, b"UI", len(head)) + head
    body = zlib.compressobj(9, zlib.DEFLATED, -15)
    content = bytes(128) + b"DICM" + struct.pack("<HH2sHI", 2, 0, b"UL", 4, len(meta)) + meta
    content += body.compress(bytes(20_000_000)) + body.flush()
    start = time.process_time()
    assert "deflated" in refusal(content)
    assert time.process_time() - start < 2


@pytest.mark.parametrize("kind", ["items", "elements"])
def test_a_million_items_or_elements_are_not_parsed(kind: str) -> None:
    syntax = b"1.2.840.10008.1.2.1\0"
    meta = struct.pack("<HH2sH", 2, 0x10, b"UI", len(syntax)) + syntax
    content = bytes(128) + b"DICM" + struct.pack("<HH2sHI", 2, 0, b"UL", 4, len(meta)) + meta
    if kind == "items":
        content += struct.pack("<HH2sHI", 8, 0x1140, b"SQ", 0, 0xFFFFFFFF)
        content += struct.pack("<HHI", 0xFFFE, 0xE000, 0) * 1_000_000
    else:
        content += struct.pack("<HH2sH", 9, 0x10, b"LO", 0) * 1_000_000
    start = time.process_time()
    assert "more than 50,000 elements" in refusal(content)
    assert time.process_time() - start < 2


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=400))
def test_any_bytes_are_walked_over(content: bytes) -> None:
    file = io.BytesIO(content)
    check_elements(file, read_beginning(file))
    assert file.tell() == 0


def test_segments_become_a_table() -> None:
    assert unfold_segments([0, 2, 5, 7, 1, 3, 10]) == [5, 7, 8, 9, 10]
    assert unfold_segments([0, 2, 1, 2, 2, 1, 0, 0]) == [1, 2, 1, 2]
    for damaged in ([1, 2, 3], [0, 9, 1], [2, 1], [7, 1], [0, 1], [0, 1, 5, *[1, 65535, 9] * 3]):
        with pytest.raises(ImageReadError, match="damaged segmented look-up table"):
            unfold_segments(damaged)


def test_a_segmented_palette_is_the_plain_one() -> None:
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)

    def image(segmented: bool) -> np.ndarray:
        dataset = Dataset()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
        dataset.SOPClassUID, dataset.SOPInstanceUID = uid.SecondaryCaptureImageStorage, "1.2.3"
        dataset.Rows = dataset.Columns = 16
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "PALETTE COLOR"
        dataset.BitsAllocated = dataset.BitsStored = 8
        dataset.HighBit, dataset.PixelRepresentation = 7, 0
        for colour in ("Red", "Green", "Blue"):
            setattr(dataset, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
            data = np.array([0, 1, 0, 1, 255, 65280] if segmented else np.arange(256) * 256, "<u2").tobytes()
            name = f"{colour}PaletteColorLookupTableData"
            setattr(dataset, f"Segmented{name}" if segmented else name, data)
        dataset.PixelData = ramp.tobytes()
        dataset["PixelData"].VR = "OW"
        buffer = io.BytesIO()
        dcmwrite(buffer, dataset, enforce_file_format=True)
        return np.asarray(read_image(buffer.getvalue()))

    assert np.array_equal(image(True), image(False))
