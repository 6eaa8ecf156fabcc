"""DICOM: what becomes of stored values, what is refused, and that nobody's name gets out."""

from __future__ import annotations

import io
import logging
import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from pydicom import dcmread, dcmwrite, uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels import apply_modality_lut, apply_voi_lut
from pydicom.sequence import Sequence

from zerosight.data import dicom, dicom_decoders
from zerosight.data.dicom import MissingDecoderError
from zerosight.data.find import find_images
from zerosight.data.pixels import read_image
from zerosight.errors import ImageReadError, MissingExtraError

SECRET = "DOE^JANE"
RAMP = np.arange(256, dtype=np.uint8).reshape(8, 32)
DEEP = np.random.default_rng(0).integers(0, 4096, (32, 40), dtype=np.uint16)


def dataset(pixels: np.ndarray, bits: int | None = None, **elements: Any) -> Dataset:
    """Return a data set around stored values, with a patient who should stay unknown."""
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = uid.SecondaryCaptureImageStorage
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = "1.2.3"
    data.PatientName = data.PatientID = SECRET
    data.Rows, data.Columns = pixels.shape[:2]
    data.SamplesPerPixel = 1 if pixels.ndim == 2 else 3
    data.PhotometricInterpretation = "MONOCHROME2" if pixels.ndim == 2 else "RGB"
    if pixels.ndim == 3:
        data.PlanarConfiguration = 0
    data.BitsAllocated = 8 * pixels.itemsize
    data.BitsStored = bits or data.BitsAllocated
    data.HighBit = data.BitsStored - 1
    data.PixelRepresentation = int(pixels.dtype.kind == "i")
    data.PixelData = pixels.tobytes() + b"\0" * (pixels.nbytes % 2)
    data["PixelData"].VR = "OB" if pixels.itemsize == 1 else "OW"
    for keyword, value in elements.items():
        setattr(data, keyword, value)
    return data


def encode(data: Dataset, **options: Any) -> bytes:
    """Return the data set as the bytes of a file."""
    buffer = io.BytesIO()
    dcmwrite(buffer, data, **({"enforce_file_format": True} | options))
    return buffer.getvalue()


def read(data: Dataset) -> np.ndarray:
    """Return the grey levels that are read from a data set."""
    image = read_image(encode(data))
    assert image.mode == "L"
    assert not image.info
    return np.asarray(image)


def table(entries: list[int], first: int, bits: int) -> Dataset:
    """Return a look-up table."""
    item = Dataset()
    item.add_new("LUTDescriptor", "US" if first >= 0 else "SS", [len(entries), first, bits])
    item.add_new("LUTData", "US", entries)
    return item


def assert_refused(data: Dataset | bytes, *words: str, **options: int) -> None:
    """Assert that reading gives one line with the words and without the patient."""
    with pytest.raises(ImageReadError) as caught:
        read_image(data if isinstance(data, bytes) else encode(data), **options)
    message = str(caught.value)
    assert message.isprintable()
    assert "DOE" not in message
    for word in words:
        assert word in message


# --- values


def test_eight_bits_without_a_window_are_unchanged_and_monochrome1_is_inverted() -> None:
    assert np.array_equal(read(dataset(RAMP)), RAMP)
    assert np.array_equal(read(dataset(RAMP, PhotometricInterpretation="MONOCHROME1")), 255 - RAMP)
    half = dataset(RAMP[:4] // 2)
    assert np.array_equal(read(half), RAMP[:4] // 2)  # not stretched


def test_few_bits_use_their_declared_range() -> None:
    assert read(dataset(np.array([[0, 63, 32, 0]], np.uint8), bits=6)).tolist() == [[0, 255, 130, 0]]
    assert read(dataset(np.array([[-32, 31]], np.int8), bits=6)).tolist() == [[0, 255]]
    assert read(dataset(np.array([[0, 1]], np.uint8), bits=1)).tolist() == [[0, 255]]


def test_deep_images_without_a_window_span_their_percentiles() -> None:
    values = np.arange(10_000, dtype=np.uint16).reshape(100, 100)
    grey = read(dataset(values, bits=14))
    assert grey[0, 49] == 0 == grey[0, 0]
    assert grey[99, 99] == 255 == grey[99, 50]
    assert grey[50, 0] == pytest.approx(127.5, abs=1)
    lone = np.zeros((100, 100), np.uint16)
    lone[0, 0] = 9
    assert read(dataset(lone))[0].tolist() == [255] + [0] * 99


@pytest.mark.parametrize("kind", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("value", [0, 7, 65_535])
def test_flat_images_are_black_without_a_warning(kind: str, value: int) -> None:
    flat = dataset(np.full((4, 6), value, np.uint16), PhotometricInterpretation=kind)
    assert len(np.unique(read(flat))) == 1


def test_padding_is_black_and_does_not_count() -> None:
    values = np.full((10, 10), 5000, np.uint16)
    values[:5] = 1000
    values[0] = 65_535
    values[1] = 65_000
    for kind, low, high in (("MONOCHROME2", 0, 255), ("MONOCHROME1", 255, 0)):
        padded = dataset(values, PhotometricInterpretation=kind)
        padded.PixelPaddingValue = 65_535
        padded.PixelPaddingRangeLimit = 65_000
        grey = read(padded)
        assert (grey[:2] == 0).all()
        assert (grey[2:5] == low).all()
        assert (grey[5:] == high).all()
    everything = dataset(np.full((4, 4), 3, np.int16), PhotometricInterpretation="MONOCHROME1")
    everything.PixelPaddingValue = 3
    assert (read(everything) == 0).all()


def test_a_negative_slope_inverts_even_without_a_window() -> None:
    plain = dataset(RAMP, RescaleSlope="-1", RescaleIntercept="255")
    assert np.array_equal(read(plain), 255 - RAMP)


def window(values: np.ndarray, centre: float, width: float, function: str) -> np.ndarray:
    """Return grey levels by the standard's pseudo-code, one value at a time."""
    grey = np.empty(values.shape)
    for place, x in np.ndenumerate(values):
        if function == "SIGMOID":
            grey[place] = 1 / (1 + np.exp(min(-4 * (x - centre) / width, 700)))
            continue
        c, w = (centre - 0.5, width - 1) if function == "LINEAR" else (centre, width)
        if x <= c - w / 2:
            grey[place] = 0
        elif x > c + w / 2:
            grey[place] = 1
        else:
            grey[place] = (x - c) / w + 0.5
    return grey


@st.composite
def images(draw: st.DrawFn) -> Dataset:
    """Draw a grey image of any depth, sign, slope, window and function."""
    bits = draw(st.integers(1, 16))
    signed = draw(st.booleans())
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    wide = bits > 8 or draw(st.booleans())
    dtype = np.dtype(f"{'i' if signed else 'u'}{2 if wide else 1}")
    shape = st.tuples(st.integers(1, 6), st.integers(1, 6))
    values = draw(hnp.arrays(dtype, shape, elements=st.integers(low, high)))
    slope = draw(st.sampled_from([1, 0.5, -2, 2.5, 0.001, 100]))
    return dataset(
        values,
        bits=bits,
        PhotometricInterpretation=draw(st.sampled_from(["MONOCHROME1", "MONOCHROME2"])),
        RescaleSlope=str(slope),
        RescaleIntercept=str(draw(st.integers(-2048, 2048))),
        WindowCenter=str(draw(st.integers(-3000, 70_000))),
        WindowWidth=str(draw(st.integers(1, 70_000))),
        VOILUTFunction=draw(st.sampled_from(["LINEAR", "LINEAR_EXACT", "SIGMOID"])),
    )


@settings(max_examples=150, deadline=None, derandomize=True)
@given(data=images())
def test_windows_follow_the_standard(data: Dataset) -> None:
    dtype = f"{'i' if data.PixelRepresentation else 'u'}{data.BitsAllocated // 8}"
    count = data.Rows * data.Columns
    stored = np.frombuffer(data.PixelData, dtype, count=count).reshape(data.Rows, data.Columns)
    values = stored * float(data.RescaleSlope) + float(data.RescaleIntercept)
    expected = window(values, float(data.WindowCenter), float(data.WindowWidth), data.VOILUTFunction)
    if data.PhotometricInterpretation == "MONOCHROME1":
        expected = 1 - expected
    assert np.abs(read(data) - 255 * expected).max() <= 0.5 + 1e-6


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
def test_windows_agree_with_pydicom(function: str) -> None:
    data = dataset(DEEP, bits=12, WindowCenter=[1800, 5], WindowWidth=[900, 5], VOILUTFunction=function)
    theirs = apply_voi_lut(apply_modality_lut(DEEP, data), data) / 4095 * 255
    assert np.abs(read(data) - theirs).max() <= 0.5 + 1e-9


@pytest.mark.parametrize(
    ("centre", "width"), [("", ""), ("100", ""), ("100", "0"), ("100", "-3"), (None, None), ("100", "1e400")]
)
def test_a_window_that_cannot_be_used_is_ignored(centre: str | None, width: str | None) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's, about the odd values written here
        data = dataset(RAMP, WindowCenter=centre, WindowWidth=width)
    assert np.array_equal(read(data), RAMP)


def test_look_up_tables_come_before_windows() -> None:
    values = np.array([[-5, 0, 1, 2, 3, 9]], np.int16)
    lut = table([0, 1000, 3000, 4095], first=0, bits=12)
    data = dataset(values, VOILUTSequence=Sequence([lut]), WindowCenter="1", WindowWidth="2")
    expected = np.rint(np.array([0, 0, 1000, 3000, 4095, 4095]) / 4095 * 255)
    assert read(data).tolist() == [expected.tolist()]
    shifted = dataset(values, VOILUTSequence=Sequence([table([0, 65_535], first=-5, bits=16)]))
    assert read(shifted).tolist() == [[0, 255, 255, 255, 255, 255]]
    modality = dataset(values, ModalityLUTSequence=Sequence([table([7, 5, 3, 1], first=0, bits=8)]))
    modality.WindowCenter, modality.WindowWidth, modality.VOILUTFunction = "4", "6", "LINEAR_EXACT"
    assert read(modality).tolist() == [[255, 255, 170, 85, 0, 0]]


def test_look_up_tables_of_bytes() -> None:
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [4, 0, 8])
    item.add_new("LUTData", "OW", bytes([0, 10, 20, 255]))
    data = dataset(np.array([[0, 1, 2, 3]], np.uint8), VOILUTSequence=Sequence([item]))
    assert read(data).tolist() == [[0, 10, 20, 255]]
    for order, syntax in (("<u2", uid.ExplicitVRLittleEndian), (">u2", uid.ExplicitVRBigEndian)):
        item.LUTData = np.array([0, 10, 20, 255], order).tobytes()
        data.file_meta.TransferSyntaxUID = syntax
        assert read(data).tolist() == [[0, 10, 20, 255]]


def test_damaged_tables_and_slopes_are_refused() -> None:
    short = table([1, 2], first=0, bits=8)
    short.LUTDescriptor = [9, 0, 8]
    assert_refused(dataset(RAMP, VOILUTSequence=Sequence([short])), "cut short")
    assert_refused(dataset(RAMP, VOILUTSequence=Sequence([table([1], 0, 40)])), "look-up table")
    assert_refused(dataset(RAMP, RescaleSlope="0", RescaleIntercept="0"), "slope")


# --- codings


@pytest.mark.parametrize("syntax", [uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian])
@pytest.mark.parametrize("pixels", [RAMP, DEEP, DEEP.astype(np.int16) - 2000], ids=str)
def test_native_codings(syntax: uid.UID, pixels: np.ndarray) -> None:
    data = dataset(pixels, WindowCenter="128", WindowWidth="256")
    expected = read(data)
    data.file_meta.TransferSyntaxUID = syntax
    assert np.array_equal(read(data), expected)


def test_big_endian_and_a_data_set_without_its_file_header(tmp_path: Path) -> None:
    data = dataset(DEEP, bits=12)
    expected = read(data)
    data.file_meta.TransferSyntaxUID = uid.ImplicitVRLittleEndian
    whole = encode(data)
    start = whole.index(b"\x08\x00\x16\x00")  # the first element of the data set proper
    (tmp_path / "bare.dcm").write_bytes(whole[start:])
    assert np.array_equal(np.asarray(read_image(tmp_path / "bare.dcm")), expected)
    data.file_meta.TransferSyntaxUID = uid.ExplicitVRBigEndian
    data.PixelData = DEEP.byteswap().tobytes()
    assert np.array_equal(read(data), expected)


@pytest.mark.parametrize("syntax", [uid.RLELossless, uid.JPEG2000Lossless])
@pytest.mark.parametrize("pixels", [RAMP, DEEP], ids=["8", "16"])
def test_compressed_codings_without_loss(syntax: uid.UID, pixels: np.ndarray) -> None:
    if syntax == uid.JPEG2000Lossless:
        pytest.importorskip("openjpeg")
    data = dataset(np.tile(pixels, (4, 1)), bits=None if pixels.itemsize == 1 else 12)
    expected = read(data)
    data.compress(syntax, generate_instance_uid=False)
    assert np.array_equal(read(data), expected)


def jpeg(pixels: np.ndarray) -> Dataset:
    """Return a data set of JPEG pixels."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=95)
    data = dataset(pixels)
    data.file_meta.TransferSyntaxUID = uid.JPEGBaseline8Bit
    data.PixelData = encapsulate([buffer.getvalue()])
    data["PixelData"].is_undefined_length = True
    return data


def test_jpeg_in_grey_and_colour() -> None:
    assert np.abs(read(jpeg(RAMP)).astype(int) - RAMP).max() < 6
    colour = np.full((16, 16, 3), (200, 100, 50), np.uint8)
    data = jpeg(colour)
    data.PhotometricInterpretation = "YBR_FULL_422"
    assert np.abs(read(data).astype(int) - 124).max() < 3


def test_colour_becomes_luma() -> None:
    colour = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 9, 9]]], np.uint8)
    assert read(dataset(colour)).tolist() == [[76, 150, 29, 9]]
    planes = dataset(colour, PlanarConfiguration=1)
    planes.PixelData = colour.transpose(2, 0, 1).tobytes()
    assert read(planes).tolist() == [[76, 150, 29, 9]]
    ybr = dataset(np.full((2, 2, 3), (90, 128, 128), np.uint8), PhotometricInterpretation="YBR_FULL")
    assert (read(ybr) == 90).all()


@pytest.mark.parametrize("bits", [8, 16])
def test_palettes_become_luma(bits: int) -> None:
    """Odd counts of bytes are padded, as files demand."""
    data = dataset(np.array([[0, 1, 2, 1]], np.uint8), PhotometricInterpretation="PALETTE COLOR")
    for number, colour in enumerate(("Red", "Green", "Blue")):
        entries = np.zeros(3, f"<u{bits // 8}")
        entries[[0, number]] = (1 << bits) - 1
        setattr(data, f"{colour}PaletteColorLookupTableDescriptor", [3, 0, bits])
        setattr(
            data, f"{colour}PaletteColorLookupTableData", entries.tobytes() + b"\0" * (entries.nbytes % 2)
        )
    assert read(data).tolist() == [[255, 150, 29, 150]]


# --- refusals


@pytest.mark.parametrize(
    ("elements", "words"),
    [
        ({"NumberOfFrames": 12}, ["12 frames"]),
        ({"BitsAllocated": 32, "BitsStored": 32, "HighBit": 31}, ["32 of 32 bits"]),
        ({"BitsStored": 9, "HighBit": 8}, ["9 of 8 bits"]),
        ({"BitsStored": 0, "HighBit": 0}, ["0 of 8 bits"]),
        ({"HighBit": 5}, ["highest bit"]),
        ({"PhotometricInterpretation": "HSV"}, ["photometric", "MONOCHROME2"]),
        ({"SamplesPerPixel": 3}, ["3 samples"]),
        ({"Rows": 0}, ["no pixels"]),
        ({"Rows": 60_000, "Columns": 60_000}, ["too large", "178,000,000"]),
        ({"Rows": 9}, ["damaged DICOM"]),
        ({"PixelData": b""}, ["PixelData"]),
    ],
)
def test_what_is_not_read_is_named(elements: dict[str, Any], words: list[str]) -> None:
    assert_refused(dataset(RAMP, **elements), "image bytes: ", *words)


def test_files_without_an_image_or_with_one_of_floats() -> None:
    report = dataset(RAMP)
    del report.Rows, report.PixelData
    assert_refused(report, "without an image", "Rows")
    floats = dataset(RAMP)
    del floats.PixelData
    floats.BitsAllocated, floats.BitsStored, floats.HighBit = 16, 16, 15
    floats.FloatPixelData = np.zeros((8, 32), np.float32).tobytes()
    assert_refused(floats, "floating-point")
    assert_refused(dataset(np.zeros((2, 2, 3), np.uint16)), "colour", "8 bits")


def test_codings_that_are_not_read() -> None:
    data = jpeg(RAMP)
    data.file_meta.TransferSyntaxUID = uid.MPEG2MPML
    assert_refused(data, "MPEG2")
    data.file_meta.TransferSyntaxUID = uid.UID("1.2.3.4")
    buffer = io.BytesIO()
    dcmwrite(buffer, data, implicit_vr=False, little_endian=True, enforce_file_format=True)
    assert_refused(buffer.getvalue(), "private")
    deflated = dataset(RAMP)
    deflated.file_meta.TransferSyntaxUID = uid.DeflatedExplicitVRLittleEndian
    assert_refused(deflated, "deflated")


def test_a_missing_decoder_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    class Bare:
        available_plugins = ()

    monkeypatch.setattr(dicom_decoders, "get_decoder", lambda syntax: Bare())
    with pytest.raises(MissingExtraError, match=r"image bytes: .*pip install 'zerosight\[dicom\]'") as caught:
        read_image(encode(jpeg(RAMP)))
    assert isinstance(caught.value, MissingDecoderError)
    assert isinstance(caught.value, ImageReadError)  # so that a run over many images goes on


def test_a_bomb_inside_a_small_image_is_not_decoded() -> None:
    data = jpeg(np.zeros((2000, 3000), np.uint8))
    data.Rows, data.Columns = 8, 32
    assert_refused(data, "says 32 × 8 but holds 3000 × 2000")


def test_max_pixels_and_files(tmp_path: Path) -> None:
    path = tmp_path / "IM0001"
    path.write_bytes(encode(dataset(RAMP)))
    assert np.array_equal(np.asarray(read_image(path)), RAMP)
    with pytest.raises(ImageReadError, match=r"IM0001: is too large: 32 × 8 pixels, at most 255"):
        read_image(path, max_pixels=255)
    (tmp_path / "notes.dcm").write_bytes(b"not DICOM at all")
    with pytest.raises(ImageReadError, match=r"notes\.dcm: "):
        read_image(tmp_path / "notes.dcm")
    Image.fromarray(RAMP).save(tmp_path / "photo.png")
    (tmp_path / "photo.png").rename(tmp_path / "photo.dcm")
    assert np.array_equal(np.asarray(read_image(tmp_path / "photo.dcm")), RAMP)


def test_folders_give_dicom_files_by_suffix_or_mark(tmp_path: Path) -> None:
    for name in ("a.dcm", "IM0001", "1.2.840.113", "DICOMDIR", "notes.txt"):
        (tmp_path / name).write_bytes(encode(dataset(RAMP)))
    (tmp_path / "README").write_text("no image")
    (tmp_path / "short").write_bytes(b"")
    assert {path.name for path in find_images([tmp_path])} == {"a.dcm", "IM0001", "1.2.840.113"}


# --- privacy and hostile bytes


def test_nothing_of_the_patient_is_parsed_warned_or_logged(caplog: pytest.LogCaptureFixture) -> None:
    content = encode(dataset(RAMP, WindowCenter="12345678", WindowWidth="9"))
    caplog.set_level(logging.DEBUG)
    level = logging.getLogger("pydicom").level
    assert_refused(content.replace(b"12345678", SECRET.encode()), "damaged DICOM file (ValueError)")
    assert not caplog.records
    assert logging.getLogger("pydicom").level == level
    header = dicom.read_elements(io.BytesIO(encode(dataset(RAMP))), dicom._PIXELS)
    assert SECRET not in str(header)


def test_threads_read_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.dcm"
    path.write_bytes(encode(dataset(DEEP, bits=12)))
    found: list[bytes] = []
    threads = [threading.Thread(target=lambda: found.append(read_image(path).tobytes())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


def samples() -> list[bytes]:
    """Return files of several codings."""
    rle = dataset(DEEP, bits=12, VOILUTSequence=Sequence([table([0, 9, 99], 0, 12)]))
    rle.compress(uid.RLELossless, generate_instance_uid=False)
    return [encode(dataset(RAMP, WindowCenter="9", WindowWidth="3")), encode(jpeg(RAMP)), encode(rle)]


SAMPLES = samples()


@settings(max_examples=200, deadline=None, derandomize=True)
@given(data=st.data())
def test_damaged_files_are_read_or_give_one_line(data: st.DataObject) -> None:
    content = bytearray(data.draw(st.sampled_from(SAMPLES)))
    for _ in range(data.draw(st.integers(0, 6))):
        content[data.draw(st.integers(132, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(132, len(content)))] if data.draw(st.booleans()) else content
    try:
        said = read_image(bytes(content), max_pixels=1_000_000).mode
    except ImageReadError as error:
        said = str(error)
    assert said == "L" or said.startswith("image bytes: ")
    assert said.isprintable()
    assert "DOE" not in said


def test_the_sample_files_do_hold_the_patient() -> None:
    assert all(dcmread(io.BytesIO(content)).PatientName == SECRET for content in SAMPLES)
