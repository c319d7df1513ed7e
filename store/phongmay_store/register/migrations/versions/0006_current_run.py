"""one pointer a unit to its newest run, instead of one in every current verdict"""

import sqlalchemy as sa
from alembic import op

import phongmay_store.register.base

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None
_BY_KEY = {"sqlite_with_rowid": False}


def upgrade() -> None:
    """Make the table, fill it from the pointers that the verdicts had, and take these away."""
    op.create_table(
        "current_run",
        sa.Column("unit_id", sa.String(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("confirmed_at", phongmay_store.register.base.UtcDateTime(), nullable=False),
        sa.Column("valid_for_s", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("unit_id", name=op.f("pk_current_run")),
    )
    op.execute(
        "INSERT INTO current_run (unit_id, run_id, confirmed_at, valid_for_s) "
        "SELECT run.unit_id, run.id, run.evaluated_at, run.valid_for_s FROM evaluation_run AS run "
        "WHERE run.id IN (SELECT max(id) FROM evaluation_run GROUP BY unit_id)"
    )
    with op.batch_alter_table("current_verdict", recreate="auto", table_kwargs=_BY_KEY) as table:
        table.drop_column("confirmed_run_id")
    if op.get_bind().dialect.name == "sqlite":  # rows in the order of their key: half the pages for the same content
        with op.batch_alter_table("current_fact", recreate="always", table_kwargs=_BY_KEY):
            pass


def downgrade() -> None:
    """Give every verdict its pointer back."""
    with op.batch_alter_table("current_verdict") as table:
        table.add_column(sa.Column("confirmed_run_id", sa.Integer(), nullable=False, server_default="0"))
    op.execute(
        "UPDATE current_verdict SET confirmed_run_id = "
        "(SELECT run_id FROM current_run WHERE current_run.unit_id = current_verdict.unit_id)"
    )
    op.drop_table("current_run")
