"""Mutations: small damage to a file, as chance, cut connections and strangers do it."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

EDGES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
WORDS = (
    *("NaN", "-Infinity", "1e999", "-1", "0", "9" * 400, "1e-400", "null", "true", "~", '""', "{}", "[]"),
    *(
        "[" * 3000,
        '{"a":' * 2000,
        "&a [*a, *a]",
        "!!python/object:os.system",
        "../../etc/passwd",
        "/dev/zero",
    ),
    *("\\ud800", "\x00", "\x1b[31m", "\ufeff", "\u202e", "x" * 70_000, "'", '"', ",", ":", "\r\n", "\u2028"),
)
LONGEST = 1 << 20  # bytes of an input


def mutate(content: bytes, rng: random.Random, others: Sequence[bytes], is_text: bool) -> bytes:
    """Return the content with one to four kinds of damage.

    Args:
        content: A sound file.
        rng: Decides everything.
        others: Sound files of the same kind, whose parts may be pasted in.
        is_text: Whether words are exchanged, too.
    """
    data = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        work = rng.choice(TEXT if is_text and rng.random() < 0.7 else BINARY)
        work(data, rng, rng.choice(others))
    return bytes(data[:LONGEST])


def _place(data: bytearray, rng: random.Random) -> int:
    """Return a place, every other time near the beginning, where headers are."""
    end = len(data) if rng.random() < 0.5 else min(len(data), 256)
    return rng.randint(0, end)


def _flip(data: bytearray, rng: random.Random, other: bytes) -> None:
    for _ in range(rng.randint(1, 8)):
        if data:
            data[min(_place(data, rng), len(data) - 1)] ^= 1 << rng.randrange(8)


def _edge(data: bytearray, rng: random.Random, other: bytes) -> None:
    size, place = rng.choice((1, 2, 4, 8)), _place(data, rng)
    number = rng.choice(EDGES) % (1 << (8 * size))
    data[place : place + size] = number.to_bytes(size, rng.choice(("little", "big")))


def _cut(data: bytearray, rng: random.Random, other: bytes) -> None:
    del data[_place(data, rng) :]


def _drop(data: bytearray, rng: random.Random, other: bytes) -> None:
    place = _place(data, rng)
    del data[place : place + rng.randint(1, 64)]


def _double(data: bytearray, rng: random.Random, other: bytes) -> None:
    place = _place(data, rng)
    data[place:place] = bytes(data[place : place + rng.randint(1, 512)]) * rng.randint(1, 20)


def _paste(data: bytearray, rng: random.Random, other: bytes) -> None:
    place, start = _place(data, rng), rng.randint(0, len(other))
    data[place : place + rng.randint(0, 64)] = other[start : start + rng.randint(1, 256)]


def _noise(data: bytearray, rng: random.Random, other: bytes) -> None:
    place, size = _place(data, rng), rng.randint(1, 64)
    data[place : place + rng.choice((0, size))] = rng.randbytes(size)


def _word(data: bytearray, rng: random.Random, other: bytes) -> None:
    place = _place(data, rng)
    data[place : place + rng.choice((0, 1, 5))] = rng.choice(WORDS).encode(errors="surrogatepass")


def _value(data: bytearray, rng: random.Random, other: bytes) -> None:
    """Exchange what stands between two marks of the syntax."""
    place = _place(data, rng)
    ends = [end for mark in b",:\n\t]}" if (end := data.find(mark, place)) >= 0]
    starts = [data.rfind(mark, 0, place) for mark in b",:\n\t[{"]
    data[max(starts) + 1 : min(ends, default=len(data))] = b" " + rng.choice(WORDS).encode()


def _lines(data: bytearray, rng: random.Random, other: bytes) -> None:
    lines = data.split(b"\n")
    rng.choice((rng.shuffle, list.reverse))(lines)
    data[:] = rng.choice((b"\n", b"\r\n", b"\r")).join(lines)


def _coding(data: bytearray, rng: random.Random, other: bytes) -> None:
    coding = rng.choice(("utf-16", "utf-8-sig", "utf-32", "utf-7"))
    data[:] = bytes(data).decode("utf-8", "replace").encode(coding, "replace")


Work = Callable[[bytearray, random.Random, bytes], None]
BINARY: tuple[Work, ...] = (_flip, _flip, _edge, _edge, _cut, _drop, _double, _paste, _noise)
TEXT: tuple[Work, ...] = (_word, _word, _value, _value, _lines, _coding)
