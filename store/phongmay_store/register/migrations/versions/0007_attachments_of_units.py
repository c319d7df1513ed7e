"""papers and photographs of every organisation unit, not of schools only"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables to this revision."""
    op.alter_column("attachment", "school_id", new_column_name="unit_id")


def downgrade() -> None:
    """Take the tables back."""
    op.alter_column("attachment", "unit_id", new_column_name="school_id")
