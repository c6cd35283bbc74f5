"""The centre's HTTP side: the JSON contract, the live stream, and the board's files."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dispatch.core import Question
from dispatch.live import Ask, Condition, Live, answer
from protocol.words import KINDS, PHASE_NAMES, Unavailable

SEND_S_MAX: Final = 20.0  # a browser that takes nothing for so long is gone
CONNECTIONS_MAX: Final = 256
ALARMS_DEFAULT: Final = 1000  # events in /api/alarms, the latest
ALARMS_MAX: Final = 20_000  # about 10 MB
SOUGHT_MAX: Final = 64  # characters of what is looked for among the homes
INCIDENT_MAX: Final = 2**63 - 1  # the largest id of an SQLite row
START_S_MAX: Final = 10.0
CLOSE_S_MAX: Final = 3.0
PAGE: Final = Path(__file__).parent / "page"
HEADERS: Final = {
    # Its own files and nothing else, no style or script within the page, no text that becomes HTML.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",  # homes and alarms stay out of the browser's cache
}
WORDS: Final = {
    "kinds": {kind: {"severity": severity, "en": en, "zh": zh} for kind, (severity, en, zh) in KINDS.items()},
    "phases": {phase: {"en": en, "zh": zh} for phase, (en, zh) in PHASE_NAMES.items()},
}


class Web:
    """The HTTP server on a thread of its own."""

    def __init__(self, address: tuple[str, int], ask: Ask, condition: Callable[[], Condition]):
        """Raises Unavailable when the address cannot be had."""
        self._socket = _listener(address)
        host, port = self._socket.getsockname()[:2]
        self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        self._live = Live(ask, condition)
        self._server = uvicorn.Server(
            uvicorn.Config(
                application(ask, condition, self._live),
                loop="asyncio",
                http="h11",
                ws="none",
                log_config=None,
                access_log=False,
                server_header=False,
                limit_concurrency=CONNECTIONS_MAX,
                timeout_graceful_shutdown=1,
            )
        )
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)

    def start(self) -> None:
        """Returns when the server listens. Raises Unavailable when it does not."""
        self._thread.start()
        deadline = time.monotonic() + START_S_MAX
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise Unavailable(f"{self.url}: the web server does not start", f"{self.url}：网页服务无法启动")
            time.sleep(0.01)

    def changed(self) -> None:
        """The desk's picture is another one now. Any thread."""
        self._live.touch()

    def close(self) -> None:
        self._live.close()
        self._server.should_exit = True
        self._thread.join(CLOSE_S_MAX)
        self._socket.close()

    def _run(self) -> None:
        self._server.run(sockets=[self._socket])


def application(ask: Ask, condition: Callable[[], Condition], live: Live) -> Starlette:
    """The centre's HTTP contract and the board."""

    def reading(question: Question) -> Callable[[Request], Any]:
        async def endpoint(_request: Request) -> Response:
            return await _answered(ask, question)

        return endpoint

    async def incident(request: Request) -> Response:
        wanted = request.path_params["id"]
        return await _answered(ask, lambda desk, now: desk.incident(wanted, now) if wanted <= INCIDENT_MAX else None)

    async def calling(request: Request) -> Response:
        # Only a page of ours can send JSON here: a foreign one's browser asks first, and is not answered.
        if request.headers.get("content-type") != "application/json":
            return _error(415, "Content-Type: application/json is needed", "须为 Content-Type: application/json")
        wanted = request.path_params["id"]
        answered = await _answered(ask, lambda desk, now: desk.calling(wanted, now) if wanted <= INCIDENT_MAX else None)
        if answered.body == b'{"sent":false}':
            return _error(409, "the gateway does not answer: nobody can be told", "网关无应答，无法告知住户")
        return answered

    async def alarms(request: Request) -> Response:
        text = request.query_params.get("limit", str(ALARMS_DEFAULT))
        if not (text.isascii() and text.isdigit() and len(text) < 6 and 0 < int(text) <= ALARMS_MAX):
            return _error(400, f"limit: a whole number from 1 to {ALARMS_MAX}", f"limit：1 到 {ALARMS_MAX} 的整数")
        return await _answered(ask, lambda desk, now: desk.alarms(int(text)))

    async def homes(request: Request) -> Response:
        text = request.query_params.get("q", "")[:SOUGHT_MAX]
        return await _answered(ask, lambda desk, now: desk.find(text, now))

    async def home(request: Request) -> Response:
        wanted = request.path_params["gateway"]
        return await _answered(ask, lambda desk, now: desk.home(wanted, now))

    async def words(_request: Request) -> Response:
        return JSONResponse(WORDS)

    async def events(_request: Request) -> Response:
        if live.full:
            return _error(503, "too many screens are connected", "连接的屏幕过多")
        return _Stream(live.stream(), media_type="text/event-stream")

    async def board(_request: Request) -> Response:
        return FileResponse(PAGE / "index.html")

    return Starlette(
        routes=[
            Route("/", board),
            Route("/events", events),
            Route("/api/incidents", reading(lambda desk, now: desk.incidents(now))),
            Route("/api/incidents/{id:int}", incident),
            Route("/api/incidents/{id:int}/calling", calling, methods=["POST"]),
            Route("/api/gateways", reading(lambda desk, now: desk.gateways(now))),
            Route("/api/homes", homes),
            Route("/api/homes/{gateway}", home),
            Route("/api/counters", reading(lambda desk, now: {**desk.counters(), **condition().counters})),
            Route("/api/alarms", alarms),
            Route("/api/words", words),
            Mount("/page", StaticFiles(directory=PAGE)),
        ],
        middleware=[
            Middleware(_Headers),
            # A foreign page whose name is made to point here (DNS rebinding) must not read alarms.
            Middleware(TrustedHostMiddleware, allowed_hosts=["localhost", "127.0.0.1", "[::1]", "::1"]),
        ],
        lifespan=live.running,
    )


async def _answered(ask: Ask, question: Question) -> Response:
    try:
        value = await answer(ask, question)
    except Exception:  # noqa: BLE001  a failing database is the centre's trouble; here it is one refused request
        return _error(503, "the centre's database does not answer", "中心数据库没有响应")
    if value is None:
        return _error(404, "there is nothing of that name", "没有该记录")
    return JSONResponse(value)


def _error(status: int, en: str, zh: str) -> Response:
    return JSONResponse({"error": {"en": en, "zh": zh}}, status)


class _Stream(StreamingResponse):
    """A response without end that gives up a browser which takes nothing."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_in_time(message: Message) -> None:
            async with asyncio.timeout(SEND_S_MAX):
                await send(message)

        with contextlib.suppress(TimeoutError):
            await super().__call__(scope, receive, send_in_time)


class _Headers:
    """The headers that every answer carries."""

    def __init__(self, app: ASGIApp):
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _listener(address: tuple[str, int]) -> socket.socket:
    host, port = address
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise Unavailable(
            f"http = {host}:{port}: cannot listen there: {error.strerror}",
            f"http = {host}:{port}：无法监听（{error.strerror}）",
        ) from error
    return listener
