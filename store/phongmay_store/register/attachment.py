"""Which papers and photographs a unit has handed in; the files lie in a folder, under their hash (`attachments`)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from phongmay_store.register.base import Base, utc_now


class Attachment(Base):
    """A file that a unit handed in: who may see the unit may see it. Its name is not kept: names name people.

    Attributes:
        unit_id: school, or unit above schools.
        sha256: hash of the file as it is kept, without what the camera wrote about place and person.
        media_type: told by the bytes: image/jpeg, image/png or application/pdf.
        size: bytes.
    """

    __tablename__ = "attachment"

    unit_id: Mapped[str] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(primary_key=True)
    media_type: Mapped[str]
    size: Mapped[int]
    recorded_at: Mapped[datetime] = mapped_column(default=utc_now)
