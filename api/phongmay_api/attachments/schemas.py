"""What the API says about papers and photographs."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field


class AttachmentOut(BaseModel):
    """A paper or photograph that an organisation unit handed in."""

    sha256: str = Field(description="Of what is kept: a picture is kept without Exif, so this is not the sent file's.")
    media_type: str
    size: int = Field(description="Bytes.")
    recorded_at: datetime
