"""Who may talk to the server, and how much they may send."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable
from http.cookies import SimpleCookie
from urllib.parse import parse_qsl, urlencode, urlsplit

COOKIE = "ctsgan_token"

LOOPBACK = ("127.0.0.1", "localhost", "::1")

HEADERS = {
    # pages can load from and talk to this server only, whatever a file's name or header says
    "content-security-policy": (
        "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; frame-ancestors 'self'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}


class TooLarge(Exception):
    """More was sent than was announced or allowed."""


class Guard:
    """An ASGI application around another.

    Args:
        app: the other.
        token: that every request must carry, as ``Authorization: Bearer``, in a cookie, or once as ``?token=``, which
            sets the cookie; ``None`` asks for none.
        hosts: names under which the server may be asked for, against pages that give their own name to this machine;
            ``None`` allows all.
        largest: bytes of a request.
    """

    def __init__(self, app, token: str | None, hosts: Iterable[str] | None, largest: int) -> None:
        self.app, self.token, self.hosts, self.largest = app, token, hosts, largest

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        refusal = self._refusal(scope, headers)
        if refusal:
            await _refuse(scope, send, *refusal)
            return
        if scope["type"] == "http" and self.token and "token=" in scope["query_string"].decode("latin-1"):
            await self._welcome(scope, send)
            return
        await self._serve(scope, receive, send)

    def _refusal(self, scope, headers: dict[str, str]) -> tuple[int, str] | None:
        host = headers.get("host", "")
        if self.hosts is not None and urlsplit(f"//{host}").hostname not in self.hosts:
            return 403, f"this server answers at {LOOPBACK[0]} only"
        # a page of another site may send requests from its visitor's browser
        origin = headers.get("origin")
        if origin and urlsplit(origin).netloc != host:
            return 403, "requests from other sites are not answered"
        if self.token and not any(hmac.compare_digest(self.token, given) for given in _tokens(scope, headers)):
            return 401, "an access token is needed; open the address that the server printed when it was started"
        if int(headers.get("content-length") or 0) > self.largest:
            return 413, f"more than {self.largest / 1e6:.0f} MB cannot be taken; send a part of it"
        return None

    async def _welcome(self, scope, send) -> None:
        """Put the token into a cookie, and out of the address."""
        query = [pair for pair in parse_qsl(scope["query_string"].decode("latin-1")) if pair[0] != "token"]
        target = scope["path"] + (f"?{urlencode(query)}" if query else "")
        cookie = f"{COOKIE}={self.token}; Path=/; HttpOnly; SameSite=Lax"
        headers = [(b"location", target.encode("latin-1")), (b"set-cookie", cookie.encode("latin-1"))]
        await send({"type": "http.response.start", "status": 303, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    async def _serve(self, scope, receive, send) -> None:
        got, started = 0, False

        async def counted():
            nonlocal got
            message = await receive()
            got += len(message.get("body", b"")) if message["type"] == "http.request" else 0
            if got > self.largest:
                raise TooLarge
            return message

        async def protected(message):
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                there = {name.lower() for name, _ in message["headers"]}
                extra = [
                    (name.encode(), value.encode()) for name, value in HEADERS.items() if name.encode() not in there
                ]
                message = {**message, "headers": [*message["headers"], *extra]}
            await send(message)

        try:
            await self.app(scope, counted, protected)
        except TooLarge:
            if not started:
                await _refuse(
                    scope, send, 413, f"more than {self.largest / 1e6:.0f} MB cannot be taken; send a part of it"
                )


def _tokens(scope, headers: dict[str, str]) -> list[str]:
    cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    bearer = headers.get("authorization", "").removeprefix("Bearer ")
    query = dict(parse_qsl(scope["query_string"].decode("latin-1"))).get("token", "")
    # compare_digest takes ASCII only
    return [text for text in (cookie.value if cookie else "", bearer, query) if text and text.isascii()]


async def _refuse(scope, send, status: int, sentence: str) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": sentence[:100]})
        return
    body = json.dumps({"detail": sentence}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
