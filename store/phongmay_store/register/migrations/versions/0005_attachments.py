"""papers and photographs of schools"""

import sqlalchemy as sa
from alembic import op

import phongmay_store.register.base

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables to this revision."""
    op.create_table(
        "attachment",
        sa.Column("school_id", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("media_type", sa.String(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("recorded_at", phongmay_store.register.base.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("school_id", "sha256", name=op.f("pk_attachment")),
    )


def downgrade() -> None:
    """Take the tables back."""
    op.drop_table("attachment")
