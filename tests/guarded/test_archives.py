"""Archives and packed tables from strangers."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import pytest

from zerosight.data.layouts.tree import read_csv
from zerosight.errors import DamagedError, DataError
from zerosight.guarded.archives import LONGEST_LINE, parse_xml, tar_files


def test_links_in_an_archive_are_not_followed(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tgz", "w:gz") as archive:
        for name, target in (("1.xml", "nope"), ("2.xml", "2.xml")):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, target
            archive.addfile(link)
        whole = tarfile.TarInfo("3.XML")
        whole.size = 4
        archive.addfile(whole, io.BytesIO(b"<a/>"))
    assert list(tar_files(tmp_path / "a.tgz", ".xml", 100)) == [("3.XML", b"<a/>")]
    (tmp_path / "a.tgz").write_bytes(b"\x1f\x8b" + bytes(range(200)))
    with pytest.raises(DamagedError, match="cannot be unpacked") as refused:
        list(tar_files(tmp_path / "a.tgz", ".xml", 100))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"<a>", b'<?xml version="1.0" encoding="rot13"?><a/>'])
def test_what_is_no_xml_is_one_line(content: bytes) -> None:
    assert parse_xml(b"<a/>").tag == "a"
    with pytest.raises(DamagedError, match="not XML"):
        parse_xml(content)


def test_an_endless_line_is_not_unpacked_whole(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "t.csv.gz", "wb") as file:
        file.write(b"image,label\na.png,")
        for _ in range(3):
            file.write(b"x" * LONGEST_LINE)
    with pytest.raises(DataError, match="a line is longer than") as refused:
        list(read_csv(tmp_path / "t.csv.gz", ("image",)))
    assert "\n" not in str(refused.value)
