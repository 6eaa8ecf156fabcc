"""NumPy's archives from strangers."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from zerosight.errors import DamagedError
from zerosight.guarded.archives import zip_names
from zerosight.guarded.arrays import read_arrays


def test_arrays_come_back_by_name(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", one=np.arange(3), two=np.zeros((2, 2), np.float32))
    arrays = read_arrays(tmp_path / "a.npz")
    assert arrays["one"].tolist() == [0, 1, 2]
    assert arrays["two"].dtype == np.float32
    assert zip_names(tmp_path / "a.npz") == ["one.npy", "two.npy"]
    assert zip_names(tmp_path / "none") == []


def archive_of(member: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", member)
    return file.getvalue()


def objects() -> bytes:
    file = io.BytesIO()
    np.savez(file, a=np.array([{}], object))
    return file.getvalue()


HUGE = b"{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999,), }"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x93NUMPY",
        archive_of(b"\x93NUMPY\x01\x00\xff\xff" + bytes(9)),
        archive_of(b"\x93NUMPY\x01\x00" + (len(HUGE) + 1).to_bytes(2, "little") + HUGE + b"\n"),
        archive_of(bytes(2**21)),
        objects(),
        archive_of(bytes(100))[:-30],
    ],
    ids=["empty", "magic only", "long header", "huge array", "zeros", "objects", "cut"],
)
def test_what_is_no_archive_of_arrays_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(DamagedError, match=r"not an \.npz file|unpacks to") as refused:
        read_arrays(tmp_path / "a.npz", limit=2**20)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 200
