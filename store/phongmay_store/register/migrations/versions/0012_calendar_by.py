"""who entered a calendar entry, took it back, or set a room's timetable"""

import sqlalchemy as sa
from alembic import op

from phongmay_store.register.base import UtcDateTime

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables to this revision; who did it before is not known."""
    op.add_column("calendar_entry", sa.Column("entered_by", sa.String(), nullable=True))
    op.add_column("calendar_entry", sa.Column("removed_by", sa.String(), nullable=True))
    op.add_column("room", sa.Column("timetable_by", sa.String(), nullable=True))
    op.add_column("room", sa.Column("timetable_at", UtcDateTime(), nullable=True))


def downgrade() -> None:
    """Take the tables back."""
    for table, column in (
        ("room", "timetable_at"), ("room", "timetable_by"), ("calendar_entry", "removed_by"),
        ("calendar_entry", "entered_by"),
    ):  # fmt: skip
        op.drop_column(table, column)
