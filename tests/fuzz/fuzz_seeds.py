"""The seed corpus: small sound files of every kind, made by procedure."""

from __future__ import annotations

import io
import json
import zlib

import numpy as np
import torch
import yaml
from PIL import Image
from pydicom import dcmwrite, uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from safetensors.torch import save

CODINGS = ("tiff_lzw", "tiff_deflate", "jpeg", "packbits")
RAMP = np.arange(24 * 16, dtype=np.uint16).reshape(16, 24)
COLOUR = np.stack([RAMP % 251, RAMP % 83, RAMP % 199], axis=2).astype(np.uint8)

HEADER = {"schema": 1, "name": "toy", "root": "."}


def pictures() -> list[bytes]:
    """Return photographs in the codings of Pillow."""
    colour, grey = Image.fromarray(COLOUR), Image.fromarray(RAMP.astype(np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    wanted = [
        *((colour, kind, {}) for kind in ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM", "JPEG2000")),
        *((Image.fromarray(RAMP * 170), kind, {}) for kind in ("PNG", "TIFF")),
        (colour, "JPEG", {"progressive": True, "exif": exif}),
        (colour.convert("CMYK"), "JPEG", {}),
        (colour.convert("P"), "PNG", {}),
        (grey.convert("1"), "PNG", {}),
        (colour, "PNG", {"exif": exif}),
        *((colour, "TIFF", {"compression": kind}) for kind in CODINGS),
        (Image.fromarray(RAMP.astype(np.float32) / 400), "TIFF", {}),
        (grey.convert("1"), "TIFF", {"compression": "group4"}),
        (colour, "GIF", {"save_all": True, "append_images": [colour.rotate(90), grey]}),
    ]
    return [_saved(image, kind, options) for image, kind, options in wanted]


def dicoms() -> list[bytes]:
    """Return DICOM files: plain, deflated, encapsulated, with windows and tables."""
    grey, deep = RAMP.astype(np.uint8), RAMP * 10
    window = {"WindowCenter": "2000", "WindowWidth": "1000"}
    scaled = {"RescaleSlope": "2", "RescaleIntercept": "-100"}
    plain = [
        (dataset(grey), uid.ExplicitVRLittleEndian),
        (dataset(deep, bits=12, **window), uid.ImplicitVRLittleEndian),
        (dataset(COLOUR), uid.ExplicitVRLittleEndian),
        (dataset(deep, **scaled), uid.DeflatedExplicitVRLittleEndian),
        (dataset(deep.astype(np.int16), PhotometricInterpretation="MONOCHROME1"), uid.ExplicitVRLittleEndian),
    ]
    frames = [("JPEG", uid.JPEGBaseline8Bit), ("JPEG2000", uid.JPEG2000Lossless)]
    for kind, syntax in frames:
        data = dataset(grey)
        options = {"no_jp2": True} if kind == "JPEG2000" else {}
        data.PixelData = encapsulate([_saved(Image.fromarray(grey), kind, options)])
        data["PixelData"].VR = "OB"
        plain.append((data, syntax))
    runs = b"".join(bytes([len(row) - 1]) + row.tobytes() for row in grey)
    data = dataset(grey)
    data.PixelData = encapsulate([np.array([1, 64, *[0] * 14], "<u4").tobytes() + runs])
    data["PixelData"].VR = "OB"
    return [_encoded(data, syntax) for data, syntax in [*plain, (data, uid.RLELossless)]]


def dataset(pixels: np.ndarray, bits: int | None = None, **elements: str) -> Dataset:
    """Return a data set around stored values."""
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = uid.SecondaryCaptureImageStorage
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = "1.2.3"
    data.Rows, data.Columns = pixels.shape[:2]
    data.SamplesPerPixel = 1 if pixels.ndim == 2 else 3
    data.PhotometricInterpretation = "MONOCHROME2" if pixels.ndim == 2 else "RGB"
    if pixels.ndim == 3:
        data.PlanarConfiguration = 0
    data.BitsAllocated = 8 * pixels.itemsize
    data.BitsStored = bits or data.BitsAllocated
    data.HighBit = data.BitsStored - 1
    data.PixelRepresentation = int(pixels.dtype.kind == "i")
    data.PixelData = pixels.tobytes()
    data["PixelData"].VR = "OB" if pixels.itemsize == 1 else "OW"
    for keyword, value in elements.items():
        setattr(data, keyword, value)
    return data


def manifests() -> list[bytes]:
    """Return manifests."""
    rows = [
        {"image": "a.png", "label": 0, "category": "screw", "split": "train"},
        {
            "image": "b/ü.png",
            "mask": "m/b.png",
            "label": 1,
            "category": "screw",
            "split": "test",
            "group": "p1",
        },
        {"image": "c.dcm", "labels": {"mass": 1, "edema": None}, "text": "A mass.", "split": "val"},
    ]
    lines = [json.dumps(values, ensure_ascii=False) for values in (HEADER, *rows)]
    return ["\n".join(lines).encode() + b"\n", "\r\n".join(lines[:2]).encode()]


def tables() -> list[bytes]:
    """Return tables of images and findings."""
    marks = "image,mass,edema,split,patient\na.png,1,0,train,p1\nb.png,,-1,test,p2\n"
    names = 'Image Index,Finding Labels,Follow-up #\n1.png,"Mass|Edema",0\n2.png,No Finding,1\n'
    return [marks.encode(), names.encode(), marks.replace(",", "\t").encode(), ("\ufeff" + names).encode()]


def results() -> list[bytes]:
    """Return records of predictions."""
    region = {"box": [0, 0, 2, 2], "area": 4, "peak": 0.8}
    row = {"source": "a.png", "score": 0.7, "is_anomalous": True, "threshold": 0.5, "pixel_threshold": 0.5}
    row |= {"height": 8, "width": 12, "regions": [region], "files": {"heatmap": "heatmaps/a.png"}}
    lines = [json.dumps(row), json.dumps({"source": "b.png", "error": "b.png: is empty"})]
    return [("\n".join(lines) + "\n").encode()]


def settings() -> list[bytes]:
    """Return configurations of trainings, in YAML and JSON."""
    values = {
        "data": ["m.jsonl"],
        "out": "run",
        "backbone": {"kind": "tiny", "image_size": 48},
        "epochs": 2,
        "cache": {"folder": "cache", "max_gb": 1.5},
    }
    return [yaml.safe_dump(values).encode(), json.dumps(values).encode(), b"{}", b"data: &a [x]\nout: *a\n"]


def descriptions() -> list[bytes]:
    """Return descriptions of findings."""
    values = {"widget": {"presence": ["A widget is seen."], "absence": ["No widget."], "source": "a test"}}
    return [yaml.safe_dump(values).encode(), json.dumps(values).encode()]


def cards() -> list[bytes]:
    """Return cards of models."""
    card = {
        "name": "toy",
        "architecture": "vip2clip",
        "backbone": {"kind": "tiny", "image_size": 48},
        "thresholds": {"image": 0.4, "pixel": 0.6},
        "quality": [{"data": "toy", "image AUROC": 0.9}],
        "training": {"seed": 0},
    }
    return [json.dumps(card).encode(), b'{"name": "toy", "architecture": "vip2clip"}']


def language_models() -> list[bytes]:
    """Return configurations of language models."""
    text = {"model_type": "qwen2", "hidden_size": 64, "num_hidden_layers": 2, "vocab_size": 100}
    values = {"model_type": "llava", "text_config": text, "vision_config": {"image_size": 48}}
    return [json.dumps(values).encode(), json.dumps(text).encode()]


def tensors() -> list[bytes]:
    """Return safetensors files."""
    weights = {"a.weight": torch.arange(12.0).view(3, 4), "b": torch.zeros(2, dtype=torch.float16)}
    return [save(weights), save(weights, {"about": "a test"}), save({})]


def checkpoints() -> list[bytes]:
    """Return files of ``torch.save``."""
    found = []
    for zipped in (True, False):
        file = io.BytesIO()
        torch.save({"state": {"a": torch.ones(3)}, "epoch": 1}, file, _use_new_zipfile_serialization=zipped)
        found.append(file.getvalue())
    return found


def arrays() -> list[bytes]:
    """Return entries of a cache of 8 numbers."""
    numbers = np.arange(8, dtype=np.float32).tobytes()
    return [zlib.crc32(numbers).to_bytes(4, "little") + numbers]


def _saved(image: Image.Image, kind: str, options: dict[str, object]) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _encoded(data: Dataset, syntax: uid.UID) -> bytes:
    data.file_meta.TransferSyntaxUID = syntax
    file = io.BytesIO()
    dcmwrite(file, data, enforce_file_format=True)
    return file.getvalue()
