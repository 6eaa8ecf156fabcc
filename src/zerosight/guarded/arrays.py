"""NumPy's arrays from strangers: no pickled objects, no more bytes than honest files have."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from zerosight.errors import DamagedError, one_line

LIMIT = 2**30
"""Bytes of all arrays of a file, unpacked."""


def read_arrays(path: Path, limit: int = LIMIT) -> dict[str, np.ndarray]:
    """Return the arrays of an ``.npz`` file by name.

    Args:
        path: The file.
        limit: Bytes, unpacked, above which it is not read.

    Raises:
        OSError: It cannot be opened.
        DamagedError: It is no such file, is damaged, too large, or holds pickled objects.
    """
    with path.open("rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:  # noqa: TID251  # this is the door
                size = sum(member.file_size for member in archive.infolist())
            if size > limit:
                raise DamagedError(f"it unpacks to {size:,} bytes, more than {limit:,}")
            file.seek(0)
            with np.load(file, allow_pickle=False) as archive:  # noqa: TID251  # this is the door
                arrays = dict(archive.items())
        except DamagedError:
            raise
        except Exception as error:  # a hostile archive raises anything at all
            raise DamagedError(f"it is not an .npz file, or damaged ({one_line(str(error), 120)})") from None
    foreign = [name for name, value in arrays.items() if not isinstance(value, np.ndarray)]
    if foreign:  # NumPy hands out the bytes of other files
        raise DamagedError(f"it is not an .npz file, or damaged ({one_line(foreign[0], 80)} is no array)")
    return arrays
