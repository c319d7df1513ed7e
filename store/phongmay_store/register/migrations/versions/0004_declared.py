"""declared values"""

import sqlalchemy as sa
from alembic import op

import phongmay_store.register.base

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables to this revision."""
    op.create_table(
        "declared",
        sa.Column("school_id", sa.String(), nullable=False),
        sa.Column("subject_kind", sa.String(), nullable=False),
        sa.Column("subject_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("number", sa.Double(), nullable=True),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("declared_by", sa.String(), nullable=False),
        sa.Column("attachment_sha256", sa.String(), nullable=False),
        sa.Column("row_id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("valid_from", phongmay_store.register.base.UtcDateTime(), nullable=False),
        sa.Column("valid_to", phongmay_store.register.base.UtcDateTime(), nullable=True),
        sa.Column("recorded_at", phongmay_store.register.base.UtcDateTime(), nullable=False),
        sa.Column("superseded_at", phongmay_store.register.base.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("row_id", name=op.f("pk_declared")),
    )
    with op.batch_alter_table("declared", schema=None) as batch_op:
        for column in ("id", "school_id", "subject_id", "superseded_at"):
            batch_op.create_index(batch_op.f(f"ix_declared_{column}"), [column], unique=False)


def downgrade() -> None:
    """Take the tables back."""
    with op.batch_alter_table("declared", schema=None) as batch_op:
        for column in ("superseded_at", "subject_id", "school_id", "id"):
            batch_op.drop_index(batch_op.f(f"ix_declared_{column}"))
    op.drop_table("declared")
