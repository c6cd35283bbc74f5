"""A Chromium without a window, told over a pipe (Chrome DevTools Protocol) what to open, to ask and to picture."""

from __future__ import annotations

import base64
import json
import select
import shutil
import subprocess
import tempfile
import time
from types import TracebackType
from typing import Any, Final

from protocol.words import Unavailable

NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
ANSWER_S_MAX: Final = 30.0  # a busy machine starts a browser in ten
CLOSE_S_MAX: Final = 5.0
READ_BYTES: Final = 1 << 20  # a picture comes in one or two pieces
LOOK_S: Final = 0.1
PIPE: Final = "3<&0 4>&1"  # --remote-debugging-pipe reads from 3 and writes to 4
OPTIONS: Final = (
    "--headless",
    "--no-sandbox",  # it opens our own page alone, and as root it has none
    "--disable-gpu",
    "--hide-scrollbars",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
)


def chromium() -> str | None:
    """Where it is; None where there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """Use it in a `with`. Every method raises Unavailable where the browser does not answer."""

    def __init__(self, language: str, size: tuple[int, int]):
        """`language` as browsers ask for it, such as "zh"; `size` of the page in CSS px."""
        found = chromium()
        if found is None:
            raise Unavailable("Chromium is needed, and is not on the PATH", "需要 Chromium，但 PATH 中没有")
        self._profile = tempfile.TemporaryDirectory(prefix="sixkit-")
        self._data = b""
        self._number = 0
        command = [found, *OPTIONS, f"--user-data-dir={self._profile.name}", f"--accept-lang={language}", "about:blank"]
        shell = ["/bin/sh", "-c", f'exec "$@" {PIPE} </dev/null >/dev/null', "sh", *command]
        self._process = subprocess.Popen(
            shell, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._out, self._in = self._process.stdin, self._process.stdout
        self._session: str | None = None
        try:
            self._attach(size)
        except BaseException:
            self.close()
            raise

    def _attach(self, size: tuple[int, int]) -> None:
        """Speak with a page of its own."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        width, height = size
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def __enter__(self) -> Browser:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End it, whatever it does."""
        self._out.close()  # which ends it
        try:
            self._process.wait(CLOSE_S_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._in.close()
        self._profile.cleanup()

    def open(self, address: str) -> None:
        """Go to the page at `address`."""
        self.call("Page.navigate", url=address)

    def ask(self, expression: str) -> Any:
        """The value of a JavaScript `expression`, or of what it promises, in the page."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        return found["result"].get("value")

    def until(self, expression: str) -> None:
        """Wait until `expression` is true in the page."""
        end_s = time.monotonic() + ANSWER_S_MAX
        while not self.ask(expression):
            if time.monotonic() > end_s:
                raise Unavailable(f"the page does not come to {expression}", f"页面未达到 {expression}")
            time.sleep(LOOK_S)

    def picture(self) -> bytes:
        """What is seen now, as a PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """What the protocol's `method` answers."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        try:
            self._out.write(json.dumps(message).encode() + b"\0")
        except OSError as error:
            raise Unavailable(f"the browser has ended: {error}", f"浏览器已退出：{error}") from error
        end_s = time.monotonic() + ANSWER_S_MAX
        while True:
            answer = self._message(end_s)
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise Unavailable(f"the browser: {answer['error']}", f"浏览器：{answer['error']}")
                result: dict[str, Any] = answer["result"]
                return result

    def _message(self, end_s: float) -> dict[str, Any]:
        while b"\0" not in self._data:
            ready, _, _ = select.select([self._in], [], [], max(0.0, end_s - time.monotonic()))
            more = self._in.read(READ_BYTES) if ready else b""
            if not more:
                raise Unavailable("the browser does not answer", "浏览器没有响应")
            self._data += more
        text, _, self._data = self._data.partition(b"\0")
        found: dict[str, Any] = json.loads(text)
        return found
