"""the document that a unit's figure was taken from"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables to this revision."""
    op.add_column("parameter", sa.Column("source", sa.String(), nullable=True))


def downgrade() -> None:
    """Take the tables back."""
    op.drop_column("parameter", "source")
