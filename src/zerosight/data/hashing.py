"""Hashes: the identity of a file's content, whatever its name; and of a patient who is not to be named."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from zerosight.data.manifest import Dataset
from zerosight.data.rows import Record
from zerosight.errors import DataError
from zerosight.files import sha256


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in 64 lower-case hexadecimal digits.

    Raises:
        DataError: The file cannot be read.
    """
    try:
        return sha256(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from None


def pseudonym(group: str, salt: str) -> str:
    """Return what stands for a patient, 16 hexadecimal digits.

    >>> pseudonym("patient 7", "ours") == pseudonym("patient 7", "theirs")
    False
    """
    key = hashlib.sha256(salt.encode(errors="surrogatepass")).digest()
    return hashlib.blake2b(group.encode(errors="surrogatepass"), digest_size=8, key=key).hexdigest()


def with_hashes(dataset: Dataset) -> Iterator[Record]:
    """Yield a data set's records with the hashes of their image files filled in.

    Raises:
        DataError: A file cannot be read.
    """
    for record in dataset.records():
        yield replace(record, hash=hash_file(dataset.resolve(record.image)))
