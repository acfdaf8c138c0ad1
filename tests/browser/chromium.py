"""Drives a headless Chromium through its DevTools protocol, over a pair of pipes.

Commands go to its descriptor 3, answers and events come from 4; each message is JSON and a zero
byte. Nothing but the standard library is needed, and no port is opened.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from browser.png import Picture, decode

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
TIMEOUT = 60.0

# Puts the two pipes where Chromium looks for them: subprocess may be using 3 and 4 itself.
_LAUNCH = """
import fcntl, os, sys
source, sink = (fcntl.fcntl(int(n), fcntl.F_DUPFD, 10) for n in sys.argv[1:3])
os.dup2(source, 3)
os.dup2(sink, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


def program() -> str | None:
    """Where a Chromium is, or None."""
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)


_KEYS = {
    **{"Enter": 13, "Tab": 9, " ": 32, "End": 35, "Home": 36},
    **{"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40},
}


class Browser:
    """A Chromium of its own, with its profile in `folder`; use it in a `with` block."""

    def __init__(self, folder: Path) -> None:
        path = program()
        assert path is not None
        child_reads, self._write = os.pipe()
        self._read, child_writes = os.pipe()
        arguments = [
            *(path, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
            *("--remote-debugging-pipe", f"--user-data-dir={folder}", "--no-first-run"),
            *("--disable-dev-shm-usage", "--disable-background-networking", "about:blank"),
        ]
        self._child = subprocess.Popen(
            [sys.executable, "-c", _LAUNCH, str(child_reads), str(child_writes), *arguments],
            pass_fds=(child_reads, child_writes),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(child_reads)
        os.close(child_writes)
        self._rest = b""
        self._number = 0
        self._pages: dict[str, Page] = {}

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._write)
        os.close(self._read)
        with suppress(subprocess.TimeoutExpired):
            self._child.wait(5)
        with suppress(ProcessLookupError):
            # Its helpers are in its session.
            os.killpg(self._child.pid, signal.SIGKILL)
        self._child.wait()

    def call(self, method: str, session: str | None = None, **values: Any) -> dict[str, Any]:
        """Sends a command and waits for its answer; events go to their pages meanwhile."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": values}
        if session is not None:
            message["sessionId"] = session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == self._number:
                assert "error" not in answer, (method, answer["error"])
                found: dict[str, Any] = answer["result"]
                return found

    def receive(self) -> dict[str, Any]:
        """The next message; an event is noted by its page as well."""
        end = time.monotonic() + TIMEOUT
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._read], [], [], max(0.0, end - time.monotonic()))
            assert ready, "the browser says nothing"
            piece = os.read(self._read, 1 << 20)
            assert piece, "the browser has ended"
            self._rest += piece
        text, self._rest = self._rest.split(b"\0", 1)
        message: dict[str, Any] = json.loads(text)
        page = self._pages.get(message.get("sessionId", ""))
        if page is not None and "method" in message:
            page.note(message["method"], message["params"])
        return message

    def page(self) -> Page:
        """A new tab."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, session)
        self._pages[session] = page
        for domain in ("Page", "Runtime", "Network", "Log"):
            page.call(f"{domain}.enable")
        page.call("Page.setLifecycleEventsEnabled", enabled=True)
        return page


@dataclass
class Page:
    """A tab. `errors`: what its console complained of; `requests`: what it asked for, by URL."""

    browser: Browser
    session: str
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    _loaded: set[str] = field(default_factory=set)

    def note(self, event: str, facts: dict[str, Any]) -> None:
        """Called with every event of this page."""
        if event == "Page.lifecycleEvent" and facts["name"] == "load":
            self._loaded.add(facts["loaderId"])
        elif event == "Network.requestWillBeSent":
            self.requests.append(facts["request"]["url"])
        elif event == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(facts["exceptionDetails"]))
        elif event == "Log.entryAdded" and facts["entry"]["level"] in ("error", "warning"):
            self.errors.append(facts["entry"]["text"])
        elif event == "Runtime.consoleAPICalled" and facts["type"] in ("error", "warning"):
            self.errors.append(json.dumps(facts["args"]))

    def call(self, method: str, **values: Any) -> dict[str, Any]:
        """A command to this page."""
        return self.browser.call(method, self.session, **values)

    def open(self, path: Path, fragment: str = "") -> float:
        """Opens a file and waits until it is loaded; returns the seconds that this took."""
        start = time.monotonic()
        done = self.call("Page.navigate", url=path.as_uri() + fragment)
        assert "errorText" not in done, done
        # Without a loader nothing but the fragment is new.
        while done.get("loaderId", "") not in {"", *self._loaded}:
            self.browser.receive()
        seconds = time.monotonic() - start
        if "loaderId" not in done:
            self.settle()
        return seconds

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression."""
        done = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def settle(self) -> None:
        """Waits until events that were under way have had their effect."""
        wait = "new Promise(done => setTimeout(() => setTimeout(done, 30), 30))"
        self.call("Runtime.evaluate", expression=wait, awaitPromise=True)

    def viewport(self, width: int, height: int, *, mobile: bool = False) -> None:
        """The size of the window, in CSS pixels."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            **{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile},
        )

    def scheme(self, value: str) -> None:
        """What the user prefers: `light` or `dark`."""
        features = [{"name": "prefers-color-scheme", "value": value}]
        self.call("Emulation.setEmulatedMedia", features=features)

    def box(self, selector: str) -> tuple[float, float, float, float]:
        """Left, top, width and height of an element, scrolled into view, in the window."""
        found = self.evaluate(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            "e.scrollIntoView({block: 'center'}); const r = e.getBoundingClientRect();"
            "return [r.left, r.top, r.width, r.height]; })()"
        )
        left, top, width, height = found
        return left, top, width, height

    def click(self, selector: str) -> None:
        """A click with the mouse in the middle of an element."""
        left, top, width, height = self.box(selector)
        where = {"x": left + width / 2, "y": top + height / 2}
        self.move(**where)
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **where)
        self.settle()

    def move(self, x: float, y: float) -> None:
        """Moves the mouse to a place in the window."""
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def press(self, key: str) -> None:
        """A key such as `Enter` or `Tab`, down and up."""
        code = _KEYS[key] if key in _KEYS else ord(key.upper())
        text = {"text": "\r"} if key == "Enter" else {"text": key} if key == " " else {}
        common = {"key": key, "windowsVirtualKeyCode": code}
        self.call("Input.dispatchKeyEvent", type="keyDown", **common, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)
        self.settle()

    def png(self, selector: str | None = None, *, whole: bool = False) -> bytes:
        """A picture of the window, of one element, or of the whole page."""
        values: dict[str, Any] = {}
        if selector is not None:
            left, top, width, height = self.box(selector)
            x, y = self.evaluate("[scrollX, scrollY]")
            values["clip"] = {"x": left + x, "y": top + y, "scale": 1}
            values["clip"] |= {"width": width, "height": height}
        done = self.call(
            "Page.captureScreenshot", format="png", captureBeyondViewport=whole, **values
        )
        return base64.b64decode(done["data"])

    def picture(self, selector: str | None = None) -> Picture:
        """The pixels of `png`."""
        return decode(self.png(selector))
