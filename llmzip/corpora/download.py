"""Files by HTTP: in parts that go on where they broke, and never larger than they should be."""

from __future__ import annotations

import http.client
import os
import re
import time
import urllib.error
import urllib.parse
import urllib.request

from llmzip._native import VERSION
from llmzip.corpora.check import BLOCK
from llmzip.errors import DownloadError
from llmzip.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from http.client import HTTPResponse
    from typing import BinaryIO

# How long a server may stay silent, in seconds.
SILENCE = 30.0
# Times that a broken connection is taken up again without a byte having come, and the wait before.
PATIENCE = 2
PAUSE = 1.0
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


def download(
    urls: Sequence[str], part: str, size: int, tell: Callable[[int], None], *, resume: bool
) -> None:
    """Puts what lies at the first of `urls` that has it into the file `part`, of `size` bytes.

    resume: go on from what `part` has; only where a checksum will tell whether both belong
    together. `tell` is called with the bytes that `part` has. Raises `DownloadError`; `part` keeps
    what is worth going on from.
    """
    if not resume:
        _remove(part)
    troubles = []
    for url in urls:
        try:
            _from(url, part, size, tell)
            return
        except DownloadError as error:
            troubles.append(str(error))
    raise DownloadError("; ".join(dict.fromkeys(troubles)))


def _from(url: str, part: str, size: int, tell: Callable[[int], None]) -> None:
    tried = 0
    while True:
        before = _size(part)
        if before == size:
            return
        why = _once(url, part, size, tell)
        got = _size(part)
        if got == size:
            return
        tried = 0 if got > before else tried + 1
        if tried > PATIENCE:
            raise DownloadError(
                f"{_shown(url)} broke off after {got:,} of {size:,} bytes ({why}); "
                "the same command goes on from there"
            )
        time.sleep(PAUSE)


def _once(url: str, part: str, size: int, tell: Callable[[int], None]) -> str:
    """One request; returns why it ended early, if it did."""
    start = _size(part)
    if start > size:
        _remove(part)
        start = 0
    headers = {"User-Agent": f"llmzip/{VERSION}", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    try:
        response = urllib.request.urlopen(
            urllib.request.Request(url, headers=headers), timeout=SILENCE
        )
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:
            # What is here is no beginning of what the server has: from the start, then.
            _remove(part)
            return "the server has not so many bytes"
        raise DownloadError(f"{_shown(url)}: the server says {error.code} {error.reason}") from None
    except (OSError, ValueError, http.client.HTTPException) as error:
        if start:
            return _reason(error)
        raise DownloadError(f"no connection to {_host(url)} ({_reason(error)})") from None
    with response:
        start = _agreed(url, response, start, size)
        os.makedirs(os.path.dirname(part), exist_ok=True)
        # Not through output.py: a part stays when it breaks, and gets its name once it is checked.
        with open(part, "r+b" if start else "wb") as file:
            file.seek(start)
            file.truncate()
            return _receive(url, response, file, size, tell)


def _agreed(url: str, response: HTTPResponse, start: int, size: int) -> int:
    """Where the answer begins; `DownloadError` if the whole has another size than it should."""
    total = None
    length = response.headers.get("Content-Length", "")
    if response.status == 206:
        found = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if found is None or int(found[1]) != start:
            raise DownloadError(f"{_shown(url)}: the server sent another part than was asked for")
        total = None if found[2] == "*" else int(found[2])
    else:
        # The whole: this server cannot go on, or nothing was here.
        start = 0
        total = int(length) if length.isascii() and length.isdigit() else None
    if total is not None and total != size:
        raise DownloadError(
            f"{_shown(url)} has {total:,} bytes there, not {size:,}: it is another file"
        )
    return start


def _receive(
    url: str, response: HTTPResponse, file: BinaryIO, size: int, tell: Callable[[int], None]
) -> str:
    while True:
        got = file.tell()
        try:
            # read1: what has come is kept if the connection breaks now.
            data = response.read1(min(BLOCK, size + 1 - got))
        except (OSError, http.client.HTTPException) as error:
            return _reason(error)
        if got + len(data) > size:
            file.truncate(0)
            raise DownloadError(
                f"{_shown(url)} sends more than {size:,} bytes: it was cut off and not kept"
            )
        if not data:
            return "closed by the server"
        file.write(data)
        tell(got + len(data))


def _reason(error: Exception) -> str:
    """Why a connection failed, in a few words."""
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, TimeoutError):
        return "no answer"
    if isinstance(cause, OSError) and cause.strerror:
        return printable(cause.strerror.lower())
    return printable(str(cause) or type(cause).__name__)


def _shown(url: str) -> str:
    """An address for messages: without a password that may be in it."""
    return printable(re.sub(r"//[^/@]*@", "//", url))


def _host(url: str) -> str:
    return printable(urllib.parse.urlsplit(url).netloc.rpartition("@")[2])


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
