"""Shards: images in tar archives and Parquet tables, by names of their own, hostile ones told in a line."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zerosight.data.find import find_images
from zerosight.data.pages import pages
from zerosight.data.pixels import read_image
from zerosight.errors import DamagedError, DataError, ImageReadError
from zerosight.guarded.tar import BLOCK, tar_members
from zerosight.identity import holds, seal, stamp

LONG = "a/" + "very-" * 40 + "long.png"


def png(value: int) -> bytes:
    content = io.BytesIO()
    Image.new("L", (5, 4), value).save(content, "PNG")
    return content.getvalue()


def write_tar(path: Path, files: dict[str, bytes], kind: int = tarfile.PAX_FORMAT) -> Path:
    with tarfile.TarFile(path, "w", format=kind) as archive:
        for name, content in files.items():
            about = tarfile.TarInfo(name)
            about.size = len(content)
            archive.addfile(about, io.BytesIO(content))
        link = tarfile.TarInfo("link.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return path


def read(path: Path) -> dict[str, int]:
    """Return the value of each image of a shard by its name."""
    return {str(name).removeprefix(f"{path}#"): read_image(name).getpixel((0, 0)) for name in pages(path)}


@pytest.mark.parametrize("kind", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_members_of_an_archive_are_images(tmp_path, kind):
    long = LONG if kind != tarfile.USTAR_FORMAT else LONG[-90:]
    files = {"0.png": png(0), "0.json": b"{}", "./b//1.png": png(1), long: png(2), "é.png": png(3)}
    path = write_tar(tmp_path / "s.tar", files | {".hidden.png": b"", "0.seg.png": png(4)}, kind)
    expected = {"0.png": 0, "./b/1.png": 1, long: 2, "é.png": 3, "0.seg.png": 4}
    assert read(path) == expected
    assert list(find_images([tmp_path])) == list(find_images([tmp_path / "*.tar"])) == [path]
    name = f"{path}#0.png"
    assert list(find_images([name])) == [Path(name)]
    kept = seal(stamp(Path(name)), Path(name))
    assert holds(kept, Path(name))
    write_tar(path, {"0.png": png(9), "1.png": png(8)}, kind)
    assert not holds(kept, Path(name))
    assert read(path) == {"0.png": 9, "1.png": 8}
    Image.new("L", (3, 2)).save(tmp_path / "photo.png")
    assert list(find_images([tmp_path])) == [
        tmp_path / "photo.png"
    ]  # shards are taken where there is no image


def test_what_is_wrong_with_an_archive_is_one_line(tmp_path, monkeypatch):
    path = write_tar(tmp_path / "s.tar", {"0.png": png(0), "1.png": png(1), "2.png": b"no image"})
    with pytest.raises(ImageReadError, match=r"s\.tar#3\.png: is not in the archive"):
        read_image(f"{path}#3.png")
    with pytest.raises(ImageReadError, match=r"2\.png: is not an image"):
        read_image(f"{path}#2.png")
    with pytest.raises(
        ImageReadError, match=r"s\.tar: is no image, but may hold some; name one, such as …#0"
    ):
        read_image(path)
    with monkeypatch.context() as patch:
        patch.setattr("zerosight.data.shards.LARGEST", 10)
        with pytest.raises(ImageReadError, match=r"is too large: .* bytes, at most 10 are read"):
            read_image(f"{path}#0.png")
    content = path.read_bytes()
    path.write_bytes(content[:BLOCK] + content[BLOCK : 2 * BLOCK] + b"?" * BLOCK + content[3 * BLOCK :])
    names = list(pages(path))
    assert names == [Path(f"{path}#0.png"), path]  # what is after the damage is told of
    with pytest.raises(
        ImageReadError, match=r"s\.tar: is no plain tar archive, or damaged after 1,024 bytes"
    ):
        read_image(names[1])
    path.write_bytes(content[: BLOCK + 20])
    with pytest.raises(ImageReadError, match=r"0\.png: is cut off where the archive ends"):
        read_image(f"{path}#0.png")
    with tarfile.open(tmp_path / "packed.tar", "w:gz") as archive:
        archive.add(__file__, "0.png")
    with pytest.raises(ImageReadError, match=r"is no plain tar archive.*unpacked first"):
        read_image(tmp_path / "packed.tar")
    with pytest.raises(DataError, match="no image in there"):
        list(find_images([tmp_path / "nothing" / "*.tar"]))


def header(kind: bytes, size: bytes) -> bytes:
    head = bytearray(BLOCK)
    head[:5], head[124:136], head[156:157], head[257:263] = b"a.png", size, kind, b"ustar\0"
    head[148:156] = b"%06o\0 " % (sum(head) + 8 * 32)
    return bytes(head)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (bytes(BLOCK), "is empty"),
        (b"x" * 700, "is no plain tar archive"),
        (header(b"x", b"77777777777\0"), "holds a name of 8,589,934,591 bytes"),
        (header(b"0", b"\x80" + b"\xff" * 11), "of no honest length"),
        (header(b"0", b"-1\0".ljust(12, b"\0")), "of no honest length"),
        (header(b"S", b"0" * 11 + b"\0"), "sparse"),
    ],
    ids=["nothing", "zeros", "no archive", "endless name", "endless file", "negative", "sparse"],
)
def test_hostile_archives_are_refused(content, said):
    with pytest.raises(DamagedError, match=said):
        list(tar_members(io.BytesIO(content)))


def test_rows_of_a_table_are_images(tmp_path):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as parquet

    rows = [{"bytes": png(i), "path": f"{i}.png"} for i in range(5)]
    rows[3] = {"bytes": None, "path": "/etc/passwd"}
    path = tmp_path / "train-00000-of-00001.parquet"
    parquet.write_table(pa.table({"label": range(5), "image": rows}), path, row_group_size=2)
    names = list(pages(path))
    assert names == [Path(f"{path}#row={i}") for i in range(5)]
    assert [np.asarray(read_image(names[i])).max() for i in (4, 0, 2, 1)] == [4, 0, 2, 1]
    with pytest.raises(ImageReadError, match=r"row=3: holds no bytes: the row is empty, or names a file"):
        read_image(names[3])
    with pytest.raises(ImageReadError, match=r"row=5: is not in the table, which has 5 rows"):
        read_image(f"{path}#row=5")
    assert list(find_images([tmp_path])) == [path]
    content = path.read_bytes()
    path.write_bytes(content[:100] + bytes(300) + content[400:])
    with pytest.raises(ImageReadError, match="row=0"):
        read_image(names[0])
    path.write_bytes(content[:-20])
    assert list(pages(path)) == [path]
    with pytest.raises(ImageReadError, match="is a damaged table"):
        read_image(path)
    parquet.write_table(pa.table({"label": range(5)}), path)
    with pytest.raises(ImageReadError, match="has no column of images"):
        read_image(path)
    parquet.write_table(pa.table({"jpg": [png(7)]}), path)
    assert [read_image(name).getpixel((0, 0)) for name in pages(path)] == [7]


def test_shards_in_a_store_are_read_in_place(tmp_path):
    fsspec = pytest.importorskip("fsspec")
    system = fsspec.filesystem("memory")
    path = write_tar(tmp_path / "s.tar", {"0.png": png(5), "a/1.png": png(6)})
    system.pipe("/shards/s.tar", path.read_bytes())
    found = [name for shard in find_images(["memory://shards"]) for name in pages(shard)]
    assert found == ["memory://shards/s.tar#0.png", "memory://shards/s.tar#a/1.png"]
    assert [read_image(name).getpixel((0, 0)) for name in found] == [5, 6]
    kept = stamp(found[0])
    system.pipe("/shards/s.tar", write_tar(path, {"0.png": png(9)}).read_bytes())
    assert stamp(found[0]) != kept
    system.store.clear()
    system.pseudo_dirs[:] = [""]


def pack(path: Path, files: dict[str, bytes]) -> Path:
    plain = write_tar(path.with_name("plain"), files)
    path.write_bytes(gzip.compress(plain.read_bytes()))
    plain.unlink()
    return path


def test_members_of_a_packed_archive_are_images_whatever_their_order(tmp_path):
    files = {f"{i:02d}.png": png(i) for i in range(20)} | {"a.json": b"{}"}
    path = pack(tmp_path / "s.tar.gz", files)
    (tmp_path / "labels.csv.gz").write_bytes(b"")
    assert list(find_images([tmp_path])) == list(find_images([f"{tmp_path}/*.tar.gz"])) == [path]
    names = list(pages(path))
    assert names == [Path(f"{path}#{i:02d}.png") for i in range(20)]
    for i in (3, 0, 19, 4, 12):  # forwards, a little late, and again from the beginning
        assert read_image(names[i]).getpixel((0, 0)) == i
    with pytest.raises(ImageReadError, match=r"s\.tar\.gz#none\.png: is not in the archive"):
        read_image(f"{path}#none.png")
    small = pack(tmp_path / "s.tgz", {"a/b.png": png(7)})
    assert read(small) == {"a/b.png": 7}


def test_what_is_wrong_with_a_packed_archive_is_one_line(tmp_path, monkeypatch):
    path = pack(tmp_path / "s.tgz", {f"{i}.png": np.random.default_rng(i).bytes(70_000) for i in range(9)})
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    names = list(pages(path))
    assert names[:3] + names[-1:] == [Path(f"{path}#{i}.png") for i in range(3)] + [path]
    with pytest.raises(ImageReadError, match=r"s\.tgz: cannot be unpacked \(Compressed file ended"):
        read_image(path)
    path.write_bytes(b"no archive")
    with pytest.raises(ImageReadError, match=r"cannot be unpacked \(Not a gzipped file"):
        read_image(path)
    path.write_bytes(gzip.compress(b"no archive" * 100))
    with pytest.raises(ImageReadError, match="is no plain tar archive"):
        read_image(path)
    pack(path, {"0.png": png(0), "1.png": bytes(2_000_000), "2.png": png(2)})
    with monkeypatch.context() as patch:
        patch.setattr("zerosight.guarded.tar._FREE", 1_000_000)
        assert list(pages(path)) == [Path(f"{path}#0.png"), Path(f"{path}#1.png"), path]
        with pytest.raises(ImageReadError, match="unpacks to more than 200 times its size"):
            read_image(path)
    pack(path, {"0.png": bytes(3000)})
    monkeypatch.setattr("zerosight.data.shards.LARGEST", 1000)
    with pytest.raises(ImageReadError, match="holds a file of 3,000 bytes; at most 1,000 are unpacked"):
        read_image(path)


def save_to_disk(folder: Path, rows: list[dict[str, object]], together: int, **options: object) -> Path:
    """Write what datasets.save_to_disk writes: a stream of batches of rows."""
    pa = pytest.importorskip("pyarrow")
    folder.mkdir(parents=True)
    (folder / "dataset_info.json").write_text('{"features": {"image": {"_type": "Image"}}}')
    (folder / "state.json").write_text('{"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}')
    path = folder / "data-00000-of-00001.arrow"
    kind = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    schema = pa.schema({"label": pa.int64(), "image": kind})
    with pa.OSFile(str(path), "wb") as file:
        writer = pa.ipc.new_stream(file, schema, options=pa.ipc.IpcWriteOptions(**options))
        for first in range(0, len(rows), together):
            some = rows[first : first + together]
            columns = [pa.array(range(len(some))), pa.array(some, kind)]
            writer.write_batch(pa.record_batch(columns, schema=schema))
        writer.close()
    return path


def test_rows_of_a_saved_data_set_are_images(tmp_path):
    rows = [{"bytes": png(i), "path": f"{i}.png"} for i in range(7)]
    rows[3] = {"bytes": None, "path": "/etc/passwd"}
    path = save_to_disk(tmp_path / "set" / "train", rows, 3)
    (path.parent / "cache-12ab.arrow").write_bytes(path.read_bytes())
    assert list(find_images([tmp_path / "set"])) == [path]
    names = list(pages(path))
    assert names == [Path(f"{path}#row={i}") for i in range(7)]
    assert [read_image(names[i]).getpixel((0, 0)) for i in (6, 0, 4, 2)] == [6, 0, 4, 2]
    with pytest.raises(ImageReadError, match=r"row=3: holds no bytes: the row is empty, or names a file"):
        read_image(names[3])
    with pytest.raises(ImageReadError, match=r"row=7: is not in the table, which has fewer rows"):
        read_image(f"{path}#row=7")


def test_what_is_wrong_with_a_saved_data_set_is_one_line(tmp_path):
    pa = pytest.importorskip("pyarrow")
    rows = [{"bytes": png(i), "path": ""} for i in range(4)]
    path = save_to_disk(tmp_path / "set", rows, 2)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) - 200])
    assert list(pages(path)) == [Path(f"{path}#row=0"), Path(f"{path}#row=1"), path]
    with pytest.raises(ImageReadError, match="is a damaged table"):
        read_image(path)
    batch = content.index(png(0)) - 64  # where the batch's places of bytes lie
    for damage in (
        b"",
        b"no table at all",
        content[:batch] + b"\xff\xff\xff\x7f" * 16 + content[batch + 64 :],
    ):
        path.write_bytes(damage)
        with pytest.raises(ImageReadError):
            read_image(path)
    packed = save_to_disk(tmp_path / "packed", [{"bytes": bytes(9999), "path": ""}], 2, compression="zstd")
    with pytest.raises(ImageReadError, match="holds packed columns, which are not read"):
        read_image(packed)
    with pa.OSFile(str(path), "wb") as file:
        pa.ipc.new_stream(file, pa.schema({"label": pa.int64()})).close()
    with pytest.raises(ImageReadError, match="has no column of images"):
        read_image(path)


def test_packed_archives_and_arrow_files_in_a_store_are_read_as_they_come(tmp_path):
    fsspec = pytest.importorskip("fsspec")
    system = fsspec.filesystem("memory")
    system.pipe("/packed/s.tgz", pack(tmp_path / "s.tgz", {"0.png": png(5), "1.png": png(6)}).read_bytes())
    rows = [{"bytes": png(i), "path": ""} for i in range(4)]
    path = save_to_disk(tmp_path / "set", rows, 2)
    system.pipe("/set/data-0.arrow", path.read_bytes())
    system.pipe("/set/cache-0.arrow", path.read_bytes())
    found = [name for shard in find_images(["memory://packed", "memory://set"]) for name in pages(shard)]
    assert found[:2] == ["memory://packed/s.tgz#0.png", "memory://packed/s.tgz#1.png"]
    assert found[2:] == [f"memory://set/data-0.arrow#row={i}" for i in range(4)]
    assert [read_image(name).getpixel((0, 0)) for name in reversed(found)] == [3, 2, 1, 0, 6, 5]
    system.store.clear()
    system.pseudo_dirs[:] = [""]
