"""Mirror: results in a store, and the working folder here in which they come into being.

The working folder lies in the user's cache directory, by the results' address. From there are sent:

pictures         every half a minute, and then removed here
lines, settings  at once, and then as often as takes at most a tenth of the time; each time as a whole
tables, pages    at the end, however the run ends

Parts of a Parquet table never lie here: they are written straight into the store
(:class:`zerosight.report.parquet.Parts`). A run that goes on takes the lines from the store, unless those
there are what was sent from here last: then those here are as new or newer, as after a store that refused.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from types import TracebackType

from zerosight.data.find import PICTURES
from zerosight.errors import OutputError, ZerosightError, one_line
from zerosight.files import cache_folder, replacing, write_atomically
from zerosight.guarded.json import parse_json
from zerosight.identity import FolderLock
from zerosight.report.writer import BLOCKS, FILES
from zerosight.stores import RefusedError, StoreError, fingerprint, is_there, receive, remove, send

EVERY = 30.0
"""Seconds from one time that pictures are sent to the next."""
SHARE = 9
"""Lines rest so many times as long as it took to send them."""
_LINES = (FILES.lines, BLOCKS)
_STATE = (*_LINES, FILES.settings)
_SENT = "sent.json"  # what the store had of the lines when they were sent last
_DRAWN = PICTURES | {"normals"}
_UNFINISHED = "annotations"  # written when all is known; until then not to be sent


class Mirror:
    """Results on their way to a store; a context manager that sends the rest, however the run ends.

    Args:
        address: Where in a store the results go.
        resume: Go on with results that are there.
        overwrite: Replace them.

    Attributes:
        address: The same, without a slash at its end.
        folder: Where to write them.

    Raises:
        OutputError: There are results about which nothing is said, or another run of this user writes them.
        StoreError: The store cannot be asked.
        CacheError: The user has no home for the working folder.
    """

    def __init__(self, address: str, resume: bool = False, overwrite: bool = False) -> None:
        self.address = address.rstrip("/")
        there = [name for name in _LINES if is_there(self._at(name))]
        if there and not resume and not overwrite:
            raise OutputError(f"{self.address}: holds {FILES.held}, or use another address")
        self._home = cache_folder("results") / hashlib.sha256(self.address.encode()).hexdigest()[:24]
        self.folder = self._home / "results"
        self._overwrite = overwrite
        self._known: dict[str, tuple[int, int]] = {}  # size and time of what was sent of the state
        self._begun = False
        self._next_files = self._next_lines = 0.0
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"{self._home}: the working folder cannot be made ({error.strerror}); set XDG_CACHE_HOME"
            ) from None
        self._lock = FolderLock(self._home)
        try:
            if resume and not overwrite:
                self._take(there)
        except BaseException:
            self._lock.release()
            raise

    def begin(self) -> None:
        """Send the settings before any result, which tells whether the store takes it.

        Raises:
            OutputError: It does not.
        """
        self._begun = True
        self._push()

    def tick(self) -> None:
        """Send what is due; to be called after every image. What the store fails at is left for later.

        Raises:
            OutputError: The store refuses it; it stays in the working folder.
        """
        if time.monotonic() >= self._next_files:
            self._push(urgent=False)

    def finish(self) -> None:
        """Send everything.

        Raises:
            OutputError: The store does not take it; it stays in the working folder.
        """
        if self._begun:
            self._push(last=True)

    def __enter__(self) -> Mirror:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        started = self._begun
        try:
            try:
                self.finish()
            except OutputError:
                if error is None or not isinstance(error, ZerosightError):
                    raise
            if self._begun or not (started or self._holds_lines()):
                shutil.rmtree(self.folder, ignore_errors=True)
                (self._home / _SENT).unlink(missing_ok=True)
        finally:
            self._lock.release()
            with suppress(OSError):
                self._home.rmdir()
        if isinstance(error, OutputError) and str(error).startswith(f"{self.folder}: "):
            raise OutputError(str(error).replace(str(self.folder), one_line(self.address), 1)) from None

    def _holds_lines(self) -> bool:
        return any((self.folder / name).exists() for name in _LINES)

    def _at(self, name: str) -> str:
        return f"{self.address}/{name}"

    def _take(self, there: list[str]) -> None:
        """Have in the working folder what the store has, unless that is what was sent from here."""
        try:
            sent = parse_json((self._home / _SENT).read_bytes())
        except (OSError, ValueError):
            sent = None
        if sent is not None and sent == self._prints(there):
            return
        if there:
            shutil.rmtree(self.folder, ignore_errors=True)
        for name in (*there, FILES.settings):
            if name in there or (there and is_there(self._at(name))):
                with replacing(self.folder / name) as temporary:
                    receive(self._at(name), temporary)
                self._known[name] = _state(self.folder / name)

    def _prints(self, names: list[str]) -> dict[str, str]:
        return {name: fingerprint(self._at(name)) for name in names}

    def _push(self, last: bool = False, urgent: bool = True) -> None:
        """Send what is finished; at the end everything."""
        self._next_files = time.monotonic() + EVERY
        try:
            if self._overwrite:
                self._clear()
                self._overwrite = False
            found = list(self._finished(last))
            for path in send((path, self._at(path.relative_to(self.folder).as_posix())) for path in found):
                path.unlink()
            if last or time.monotonic() >= self._next_lines:
                self._push_state()
        except StoreError as error:
            if not urgent and not isinstance(error, RefusedError):
                return
            self._begun = False  # it would be refused once more at the end
            raise OutputError(
                f"{error}; nothing is lost: what is not there yet waits in {self.folder}, go on with --resume"
            ) from None

    def _push_state(self) -> None:
        """Send lines and settings, and note what the store has of them."""
        begun = time.monotonic()
        files = {name: self.folder / name for name in _STATE}
        states = {name: _state(path) for name, path in files.items() if path.exists() and _state(path)[0]}
        new = [name for name, state in states.items() if self._known.get(name) != state]
        for _ in send((files[name], self._at(name)) for name in new):
            pass
        self._known = states
        prints = self._prints([name for name in _LINES if name in states])
        write_atomically(self._home / _SENT, json.dumps(prints).encode())
        now = time.monotonic()
        self._next_lines = now + SHARE * (now - begun)

    def _finished(self, last: bool) -> Iterator[Path]:
        """Yield the files that nobody writes any more, pictures above all."""
        for path in self.folder.rglob("*"):
            first = path.relative_to(self.folder).parts[0]
            if path.is_symlink() or not path.is_file() or path.name.startswith(".") or path.name in _STATE:
                continue
            if last or first != _UNFINISHED:
                yield path

    def _clear(self) -> None:
        """Remove from the store what an earlier run has left, and nothing else."""
        before = self._home / "before.jsonl"
        names = [*FILES.beside, *_STATE]
        if is_there(self._at(FILES.lines)):
            receive(self._at(FILES.lines), before)
            with before.open("rb") as lines:
                names += [name for line in lines for name in _pictures(line)]
            before.unlink()
        remove(self._at(name) for name in dict.fromkeys(names))


def _pictures(line: bytes) -> Iterator[str]:
    """Yield the pictures that a line names; one that might be another file is passed over."""
    with suppress(ValueError, AttributeError, TypeError):
        for name in map(str, parse_json(line).get("files", {}).values()):
            parts = PurePosixPath(name).parts
            if len(parts) > 1 and parts[0] in _DRAWN and ".." not in parts:
                yield name


def _state(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns
