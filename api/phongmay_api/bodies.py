"""No request may send more than the server is willing to take: a pure ASGI wrapper that counts what arrives.

A body that is too large is a 413, told before the first byte is read where the sender says its size, else as soon as it
is exceeded. It holds before anybody is known, so that nobody fills the disk with a form that is refused afterwards.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

FORM_BYTES = 256 * 1024
"""What a form may hold besides its file."""
BYTES: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
"""How OpenAPI describes a file."""
SENT_FILE: dict[str, Any] = {"requestBody": {"required": True, "content": {"application/octet-stream": BYTES}}}
"""What OpenAPI says of a route whose body is a file."""


async def sent_file(request: Request) -> bytes:
    """Give the bytes of a request as they came, whatever type it names."""
    return await request.body()


SentFile = Annotated[bytes, Depends(sent_file)]


class BodyLimit:
    """Raises HTTPException 413 inside the application when it reads a body that is too large."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        length = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        announced = int(length) if length.isdigit() else 0
        read = 0

        async def counted() -> Message:
            nonlocal read
            if announced > self._max_bytes:
                raise self._refusal()
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._max_bytes:
                raise self._refusal()
            return message

        await self._app(scope, counted, send)

    def _refusal(self) -> HTTPException:
        mib = self._max_bytes // 1024**2
        return HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"At most {mib} MiB are taken in one request.")
