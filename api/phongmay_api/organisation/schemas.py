"""What the API says about organisation units and rooms."""

from __future__ import annotations

from pydantic import BaseModel, Field


class UnitOut(BaseModel):
    """An organisation unit."""

    id: str
    parent_id: str | None = Field(description="Unit above; null also when you may not see it.")
    kind: str = Field(description="city, district, cluster, ward or school.")
    level: str = Field(description="Of a school: mam_non, tieu_hoc, thcs, thpt, gdtx; else empty.")
    name: str
    is_sample: bool = Field(description="Invented data of the demo.")


class ExternalIdOut(BaseModel):
    """The id of a unit in another system."""

    issuer: str
    value: str


class UnitDetail(UnitOut):
    """An organisation unit with its ids elsewhere."""

    external_ids: list[ExternalIdOut]


class RoomOut(BaseModel):
    """A room of a school."""

    id: str
    unit_id: str = Field(description="School.")
    name: str
    kind: str = Field(description="computer_room, smart_classroom, function_room or office.")
    class_size: int | None = Field(description="Largest class taught here; null = the cap of the school's level.")
    timetable: str = Field(description="When the room is in use; empty = the district's default.")


class MeOut(BaseModel):
    """Who you are to this server."""

    name: str
    roles: dict[str, str] = Field(description="Role by organisation unit; it holds for everything below the unit.")
