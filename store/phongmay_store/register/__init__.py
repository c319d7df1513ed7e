"""Register: what exists (organisations, rooms, seats, devices), who may do what, and what was judged.

One file a domain. What can change in the world carries valid time (since when it is so) and recorded time (since when
we know); rows are revised, never overwritten.
"""

from phongmay_store.register import (
    access,
    attachment,
    calendar,
    campaign,
    chain,
    compliance,
    decisions,
    declared,
    device,
    organisation,
    outbox,
    place,
    series_state,
)
from phongmay_store.register.base import Base

metadata = Base.metadata
"""All tables of the register, once every domain is imported."""

__all__ = [
    "access",
    "attachment",
    "calendar",
    "campaign",
    "chain",
    "compliance",
    "decisions",
    "declared",
    "device",
    "metadata",
    "organisation",
    "outbox",
    "place",
    "series_state",
]
