"""pointers and links in the order of their unit, without indices beside their keys; no index that nothing asks"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None
_BY_KEY = {"sqlite_with_rowid": False}
_POINTERS = {"current_fact": "name", "current_verdict": "rule_id"}


def upgrade() -> None:
    """Bring the tables to this revision; rows stay as they are."""
    for table, last in _POINTERS.items():
        op.drop_index(f"ix_{table}_unit_id", table_name=table)
        _key(table, ["unit_id", "subject_kind", "subject_id", last])
    if _is_sqlite():  # one tree instead of two
        with op.batch_alter_table("chain_link", recreate="always", table_kwargs=_BY_KEY):
            pass
    op.drop_index("ix_fact_subject", table_name="fact")
    op.drop_index("ix_verdict_run_id", table_name="verdict")
    op.drop_index("ix_verdict_subject", table_name="verdict")
    op.create_index("ix_verdict_subject", "verdict", ["subject_id", "rule_id"])


def downgrade() -> None:
    """Take the keys and indices back."""
    op.drop_index("ix_verdict_subject", table_name="verdict")
    op.create_index("ix_verdict_subject", "verdict", ["subject_kind", "subject_id", "rule_id", "evaluated_at"])
    op.create_index("ix_verdict_run_id", "verdict", ["run_id"])
    op.create_index("ix_fact_subject", "fact", ["subject_kind", "subject_id", "name", "valid_at"])
    for table, last in _POINTERS.items():
        _key(table, ["subject_kind", "subject_id", last])
        op.create_index(f"ix_{table}_unit_id", table, ["unit_id"])


def _key(table: str, columns: list[str]) -> None:
    """Give a table of pointers another key."""
    if not _is_sqlite():
        op.drop_constraint(f"pk_{table}", table, type_="primary")
        op.create_primary_key(f"pk_{table}", table, columns)
        return
    # SQLite keeps rows in the order of the key, so the table is made anew; Alembic's way leaves the old key there.
    fresh, kinds = f"{table}_by_unit", {"fact_id": sa.Integer, "verdict_id": sa.Integer}
    names = ["subject_kind", "subject_id", _POINTERS[table], "unit_id", table.replace("current_", "") + "_id"]
    op.create_table(
        fresh,
        *(sa.Column(name, kinds.get(name, sa.String)(), nullable=False) for name in names),
        sa.PrimaryKeyConstraint(*columns, name=f"pk_{table}"),
        sqlite_with_rowid=False,
    )
    listed = ", ".join(names)
    op.execute(f"INSERT INTO {fresh} ({listed}) SELECT {listed} FROM {table} ORDER BY {', '.join(columns)}")  # noqa: S608
    op.drop_table(table)
    op.rename_table(fresh, table)


def _is_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"
