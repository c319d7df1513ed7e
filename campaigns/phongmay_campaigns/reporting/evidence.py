"""Everything that is known of one run, gathered from the register for pages, files and the terminal.

A run that does not exist gives None; one that has not ended has no result and no participants yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from phongmay_campaigns.ledger import Standing, standing_of
from phongmay_store.register.campaign import CampaignParticipant, CampaignResult, CampaignRun
from phongmay_store.register.organisation import Unit
from phongmay_store.register.place import Line, Room

OK, ABSENT = "ok", "absent"


@dataclass(frozen=True)
class Evidence:
    """A run with its names.

    Attributes:
        standing: the run and the step that it has come to.
        result: None = it has not ended, or ended without one.
        participants: every PC that was meant, by code.
        rooms: names by id, as of the run.
        lines: names by id.
    """

    standing: Standing
    result: CampaignResult | None
    participants: Sequence[CampaignParticipant]
    school: str
    rooms: dict[str, str]
    lines: dict[str, str]

    @property
    def run(self) -> CampaignRun:
        """Give the run as it was planned."""
        return self.standing.run

    @property
    def reason(self) -> str:
        """Give why it ended without a result; "" = it did not."""
        return str(self.standing.detail.get("reason", ""))

    def room_name(self, room_id: str | None) -> str:
        """Give the name of a room."""
        return self.rooms.get(room_id or "", room_id or "")

    @property
    def absent(self) -> list[CampaignParticipant]:
        """Give the PCs that took no part."""
        return [one for one in self.participants if one.status == ABSENT]

    @property
    def valid(self) -> list[CampaignParticipant]:
        """Give the PCs whose figures count."""
        return [one for one in self.participants if one.status == OK]


def gather(session: Session, run_id: str) -> Evidence | None:
    """Read a run."""
    standing = standing_of(session, [run_id]).get(run_id)
    if standing is None:
        return None
    run = standing.run
    at = run.created_at
    school = session.scalar(Unit.at(at).where(Unit.id == run.school_id)) or session.scalar(
        Unit.at().where(Unit.id == run.school_id)
    )
    rooms = session.execute(select(Room.id, Room.name).where(Room.holds(at), Room.school_id == run.school_id))
    lines = session.execute(select(Line.id, Line.name).where(Line.holds(at), Line.school_id == run.school_id))
    participants = session.scalars(
        select(CampaignParticipant).where(CampaignParticipant.run_id == run_id).order_by(CampaignParticipant.code)
    )
    return Evidence(
        standing,
        session.get(CampaignResult, run_id),
        list(participants),
        school.name if school else run.school_id,
        {room: name for room, name in rooms},  # noqa: C416 rows are no pairs to mypy
        {line: name for line, name in lines},  # noqa: C416 rows are no pairs to mypy
    )
