"""source addresses of a line"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables to this revision."""
    op.add_column("line", sa.Column("source_addresses", sa.String(), nullable=False, server_default=""))


def downgrade() -> None:
    """Take the tables back."""
    op.drop_column("line", "source_addresses")
