from __future__ import annotations

import asyncio
import io

import pytest

from zerosight.serve.frames import BrokenFrame, Frame, pack, read_frame, receive_frame
from zerosight.serve.jobs import Answer, Job, answer_frame, answers_of, batch_frame, jobs_of


def test_a_frame_comes_back_as_it_went() -> None:
    frame = Frame({"batch": 3, "text": "ü"}, [b"", b"\0abc", bytes(100_000)])
    file = io.BytesIO(b"".join(pack(frame)) * 2)
    assert read_frame(file) == frame
    assert read_frame(file) == frame
    assert read_frame(file) is None


@pytest.mark.parametrize(
    "content",
    [
        b"ab",
        b"\xff\xff\xff\xff",
        b"\x05\0\0\0{}",
        b"\x02\0\0\0{}",
        b"\x04\0\0\0null",
        b"\x0e\0\0\0" + b'{"blobs": [9]}',
    ],
)
def test_bytes_that_are_no_frame_are_told(content: bytes) -> None:
    with pytest.raises(BrokenFrame):
        read_frame(io.BytesIO(content))


def test_a_stream_that_ends_within_a_frame_has_ended() -> None:
    async def receive(content: bytes) -> Frame | None:
        stream = asyncio.StreamReader()
        stream.feed_data(content)
        stream.feed_eof()
        return await receive_frame(stream)

    whole = b"".join(pack(Frame({"a": 1}, [b"xyz"])))
    assert asyncio.run(receive(whole)) == Frame({"a": 1}, [b"xyz"])
    assert all(asyncio.run(receive(whole[:cut])) is None for cut in range(len(whole)))


def test_jobs_and_answers_come_back_as_they_went() -> None:
    jobs = [Job("predict", {"source": "a"}, [b"1", b"2"]), Job("learn", {}, [])]
    back = jobs_of(batch_frame(7, jobs))
    assert [(j.kind, j.options, list(j.blobs)) for j in back] == [
        ("predict", {"source": "a"}, [b"1", b"2"]),
        ("learn", {}, []),
    ]
    answers = [Answer({"score": 0.5}, {"map": b"m", "preview": b"p"}), Answer(error="no", status=422)]
    assert answers_of(answer_frame(7, answers, 0.1)) == answers
    with pytest.raises(BrokenFrame):
        jobs_of(Frame({"jobs": [{"kind": "predict", "options": {}, "count": 2}]}, [b"only one"]))
    with pytest.raises(BrokenFrame):
        answers_of(Frame({}))
