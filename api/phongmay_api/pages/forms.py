"""The form of a request as the pages read it: its texts, and its file if one was chosen.

A form that is no form gives no texts; how large it may be is decided before (`bodies`, `authorize`).
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request
from starlette.datastructures import FormData, UploadFile


async def sent_form(request: Request) -> FormData:
    """Give the form; `authorize` has read it already."""
    return await request.form()


Sent = Annotated[FormData, Depends(sent_form)]


def texts_of(form: FormData) -> dict[str, str]:
    """Give the fields that are texts; a line ends as the person saw it, not with the two characters that are sent."""
    return {name: value.replace("\r\n", "\n") for name, value in form.items() if isinstance(value, str)}


def file_of(form: FormData) -> tuple[str, bytes] | None:
    """Give name and bytes of the field `file`; a field without a file is none."""
    sent = form.get("file")
    if not isinstance(sent, UploadFile) or not sent.filename:
        return None
    return sent.filename.replace("\\", "/").rsplit("/", 1)[-1], sent.file.read()
