"""Files of several images: every page, frame and moment has a name and is read by it."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features
from pydicom import dcmwrite, uid
from pydicom.dataset import Dataset, FileMetaDataset

from zerosight.data.find import find_images
from zerosight.data.pages import pages
from zerosight.data.pixels import read_image
from zerosight.errors import DataError, ImageReadError
from zerosight.identity import holds, seal, stamp

FRAMES = np.random.default_rng(0).integers(0, 256, (3, 7, 5), dtype=np.uint8)


def write_frames(path: Path, compress: bool = False, mark: bool = True) -> Path:
    """Write a DICOM file of three frames of an odd number of bytes."""
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = uid.SecondaryCaptureImageStorage
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = "1.2.3"
    data.NumberOfFrames, data.Rows, data.Columns = FRAMES.shape
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = 8
    data.HighBit, data.PixelRepresentation = 7, 0
    data.PixelData = FRAMES.tobytes() + b"\0" * (FRAMES.nbytes % 2)
    data["PixelData"].VR = "OB"
    data.WindowCenter, data.WindowWidth = 128, 256
    if compress:
        data.compress(uid.RLELossless, encoding_plugin="pydicom")
    content = io.BytesIO()
    dcmwrite(content, data, enforce_file_format=True)
    path.write_bytes(content.getvalue())
    return path


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    images = [Image.fromarray(np.full((8, 9 + i), 40 * i, np.uint8)) for i in range(3)]
    images[0].save(tmp_path / "scan.tif", save_all=True, append_images=images[1:])
    return tmp_path / "scan.tif"


def test_every_page_of_a_tiff_is_read_by_its_name(scan):
    named = list(pages(scan))
    assert [path.name for path in named] == ["scan.tif#page=1", "scan.tif#page=2", "scan.tif#page=3"]
    assert list(find_images([str(named[1])])) == [named[1]]
    for i, path in enumerate(named):
        image = read_image(path)
        assert (image.size, image.getpixel((0, 0)), "pages" in image.info) == ((9 + i, 8), 40 * i, False)
    with pytest.raises(ImageReadError, match="page=4: has 3 pages; page 4 is none of them"):
        read_image(f"{scan}#page=4")
    with pytest.raises(DataError, match="no such file"):
        list(find_images([f"{scan.parent}/other.tif#page=1"]))


@pytest.mark.parametrize("compress", [False, True])
def test_every_frame_of_a_dicom_file_is_read_by_its_name(tmp_path, compress):
    path = write_frames(tmp_path / "IM0001", compress)
    named = list(pages(path))
    assert [one.name for one in named] == ["IM0001#frame=1", "IM0001#frame=2", "IM0001#frame=3"]
    for one, frame in zip(named, FRAMES, strict=True):
        assert np.array_equal(np.asarray(read_image(one)), frame)
    with pytest.raises(ImageReadError, match="holds 3 frames; name one"):
        read_image(path)
    with pytest.raises(ImageReadError, match="has 3 frames; frame 9"):
        read_image(f"{path}#frame=9")


def test_files_of_one_image_keep_their_name(scan, tmp_path):
    Image.new("L", (4, 4)).save(tmp_path / "one.tif")
    Image.new("L", (4, 4)).save(tmp_path / "odd#page=1", format="PNG")
    (tmp_path / "bad.dcm").write_bytes(b"no image")
    os.rename(tmp_path / "one.tif", tmp_path / "x.tif#page=2")
    for name in ("x.tif#page=2", "odd#page=1", "bad.dcm", "missing.tif", "photo.jpg"):
        assert list(pages(tmp_path / name)) == [tmp_path / name]
    assert read_image(tmp_path / "x.tif#page=2").size == (4, 4)  # a file that is called so


def test_a_page_is_known_by_its_file(scan):
    page = next(pages(scan))
    kept = seal(stamp(page), page)
    assert holds(kept, page)
    os.utime(scan, (1, 1))
    assert not holds(kept, page)


def test_moments_of_a_video_are_read_by_their_time(tmp_path):
    av = pytest.importorskip("av")
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=4)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for i in range(12):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 20 * i, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    named = list(pages(path, 1.0))
    assert [one.name for one in named] == ["clip.mp4#t=0.0", "clip.mp4#t=1.0", "clip.mp4#t=2.0"]
    levels = [np.asarray(read_image(one)).mean() for one in (*named, f"{path}#t=1.3")]
    assert levels == pytest.approx([0, 80, 160, 100], abs=6)
    with pytest.raises(ImageReadError, match="shorter than 90 seconds"):
        read_image(f"{path}#t=90")
    path.write_bytes(b"no video")
    [one] = pages(path)
    with pytest.raises(ImageReadError, match="damaged video"):
        read_image(one)
    assert list(find_images([tmp_path], also=[".mp4"])) == [path]
    with pytest.raises(DataError, match="no image in there"):
        list(find_images([tmp_path]))


MOVING = [(".gif", "GIF"), (".webp", "WEBP"), (".apng", "PNG")]
MOVING += [(".avif", "AVIF")] if features.check("avif") else []


@pytest.mark.parametrize(("suffix", "kind"), MOVING)
def test_every_frame_of_an_animation_is_read_by_its_name(tmp_path, suffix, kind):
    path = tmp_path / f"turn{suffix}"
    images = [Image.new("RGB", (16, 12), (90, 20 * i, 0)) for i in range(12)]
    best, near = ({"quality": 100, "subsampling": "4:4:4"}, 3) if kind == "AVIF" else ({"lossless": True}, 0)
    images[0].save(path, kind, save_all=True, append_images=images[1:], duration=100, **best)
    named = list(pages(path))
    assert [one.name for one in named] == [f"turn{suffix}#frame={i}" for i in range(1, 13)]
    assert list(find_images([tmp_path])) == [path]
    for i in (4, 2, 11, 0, 5):  # forwards, a little late, and again from the beginning
        image = read_image(named[i])
        assert image.convert("RGB").getpixel((5, 5)) == pytest.approx((90, 20 * i, 0), abs=near)
        assert "pages" not in image.info
    with pytest.warns(UserWarning, match="only the first is read"):
        assert read_image(path).convert("RGB").getpixel((5, 5)) == pytest.approx((90, 0, 0), abs=near)
    with pytest.raises(ImageReadError, match="frame=13: has fewer frames; frame 13 is none of them"):
        read_image(f"{path}#frame=13")
    images[0].save(path, kind)
    assert list(pages(path)) == [path]


def test_a_damaged_animation_is_one_line(tmp_path, monkeypatch):
    path = tmp_path / "turn.gif"
    noise = np.random.default_rng(0).integers(0, 256, (4, 40, 40), dtype=np.uint8)
    images = [Image.fromarray(one) for one in noise]
    images[0].save(path, save_all=True, append_images=images[1:])
    content = path.read_bytes()
    named = list(pages(path))
    path.write_bytes(content[: len(content) // 2])
    assert np.array_equal(np.asarray(read_image(named[0]).convert("L")), noise[0])
    with pytest.raises(ImageReadError, match=r"turn\.gif#frame=4: "):
        read_image(named[3])
    with monkeypatch.context() as patch:
        patch.setattr("zerosight.data.animation._LARGEST", 100)
        assert list(pages(path)) == named[:2]
        os.utime(path, (1, 1))
        with pytest.raises(ImageReadError, match="at most 100 bytes are read: make it a video"):
            read_image(named[1])
    for damage in (b"", b"no image", b"GIF89a"):
        path.write_bytes(damage)
        assert list(pages(path)) == [path]
        with pytest.raises(ImageReadError):
            read_image(named[0])
    path.write_bytes(content[:6] + b"\xff\xff\xff\xff" + content[10:])  # 65,535 × 65,535 pixels
    with pytest.raises(ImageReadError, match="too large"):
        read_image(named[0])
