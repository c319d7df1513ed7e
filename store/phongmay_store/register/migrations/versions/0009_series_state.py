"""what a series store remembers besides points, for stores that cannot"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0007"
branch_labels = None
depends_on = None

_TABLES = (
    "series_stored",
    "series_offset",
    "series_claim",
    "series_minutes",
    "series_listening",
    "series_hour",
    "series_presence",
    "series_odd_name",
    "series_out_of_range",
    "series_lease",
    "series_dead_letter",
)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "series_stored",
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("block", sa.BigInteger(), nullable=False),
        sa.Column("bits", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("sender", "run", "block", name=op.f("pk_series_stored")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_series_stored_day"), "series_stored", ["day"])
    op.create_table(
        "series_offset",
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("offset_s", sa.Double(), nullable=False),
        sa.Column("basis", sa.Text(), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("device", "run", name=op.f("pk_series_offset")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_series_offset_day"), "series_offset", ["day"])
    op.create_table(
        "series_claim",
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("basis", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sender", "run", "seq", name=op.f("pk_series_claim")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "series_minutes",
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("hour", sa.BigInteger(), nullable=False),
        sa.Column("seen", sa.BigInteger(), nullable=False),
        sa.Column("reachable", sa.BigInteger(), nullable=False),
        sa.Column("unreachable", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("device", "hour", name=op.f("pk_series_minutes")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_series_minutes_hour"), "series_minutes", ["hour"])
    op.create_table(
        "series_listening",
        sa.Column("hour", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("minutes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hour", name=op.f("pk_series_listening")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "series_hour",
        sa.Column("hour", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.Column("rolled", sa.BigInteger(), nullable=False),
        sa.Column("touched", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("hour", name=op.f("pk_series_hour")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "series_presence",
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("session", sa.Text(), nullable=False),
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("since", sa.Double(), nullable=False),
        sa.Column("last_seen", sa.Double(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("device", name=op.f("pk_series_presence")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "series_odd_name",
        sa.Column("oddity", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("oddity", "name", name=op.f("pk_series_odd_name")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "series_out_of_range",
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("last_at", sa.Double(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("device", name=op.f("pk_series_out_of_range")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "series_lease",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("until", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_series_lease")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "series_dead_letter",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False, autoincrement=True),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("received", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_series_dead_letter")),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    """Take them away."""
    for name in reversed(_TABLES):
        op.drop_table(name)
