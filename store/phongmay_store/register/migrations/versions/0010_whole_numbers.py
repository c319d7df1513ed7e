"""whole numbers of 64 bits on PostgreSQL, as SQLite has them: a line of 10 Gbit/s, more than 2 billion rows"""

from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Widen every whole number of the register's tables, and the sequences that number their rows."""
    for table, columns in _columns("integer"):
        _change(table, columns, "BIGINT")
        for column in columns:
            sequence = op.get_bind().scalar(sa.text("SELECT pg_get_serial_sequence(:t, :c)"), {"t": table, "c": column})
            if sequence is not None:
                op.execute(f"ALTER SEQUENCE {sequence} AS BIGINT")


def downgrade() -> None:
    """Bring the tables back to the revision before; refused by the database where a number is too great for it."""
    for table, columns in _columns("bigint"):
        _change(table, columns, "INTEGER")


def _columns(kind: str) -> Iterator[tuple[str, list[str]]]:
    """Give the columns of a width by table; those of the series' state (0009) have chosen theirs on purpose."""
    if op.get_bind().dialect.name != "postgresql":
        return
    found = op.get_bind().execute(
        sa.text(
            "SELECT table_name, array_agg(column_name::text ORDER BY ordinal_position) FROM information_schema.columns "
            "WHERE table_schema = current_schema() AND data_type = :kind AND left(table_name, 7) <> 'series_' "
            "GROUP BY table_name ORDER BY table_name"
        ),
        {"kind": kind},
    )
    yield from ((str(table), list(columns)) for table, columns in found.all())


def _change(table: str, columns: list[str], kind: str) -> None:
    steps = ", ".join(f'ALTER COLUMN "{column}" TYPE {kind}' for column in columns)
    op.execute(f'ALTER TABLE "{table}" {steps}')
