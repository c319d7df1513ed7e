"""since when a value of a parameter holds; older rows hold since they were recorded"""

import sqlalchemy as sa
from alembic import op

from phongmay_store.register.base import UtcDateTime

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables to this revision; a value written into older rows would break the links made over them."""
    op.add_column("parameter", sa.Column("valid_from", UtcDateTime(), nullable=True))


def downgrade() -> None:
    """Take the column back."""
    op.drop_column("parameter", "valid_from")
