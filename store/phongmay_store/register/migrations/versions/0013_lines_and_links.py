"""source addresses of a line; digests of bandwidth tests, which are links of the chain"""

import sqlalchemy as sa
from alembic import op

import phongmay_store.register.base

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables to this revision."""
    op.add_column("line", sa.Column("source_addresses", sa.String(), nullable=False, server_default=""))
    op.create_table(
        "campaign_digest",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("unit_id", sa.String(), nullable=False),
        sa.Column("run_id", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("recorded_at", phongmay_store.register.base.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_campaign_digest")),
        sa.UniqueConstraint("run_id", name=op.f("uq_campaign_digest_run_id")),
    )
    op.create_index(op.f("ix_campaign_digest_unit_id"), "campaign_digest", ["unit_id"], unique=False)


def downgrade() -> None:
    """Take the tables back."""
    op.drop_index(op.f("ix_campaign_digest_unit_id"), table_name="campaign_digest")
    op.drop_table("campaign_digest")
    op.drop_column("line", "source_addresses")
