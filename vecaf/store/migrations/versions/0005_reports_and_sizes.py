"""Remove lone surrogates from import reports, and allow models of 2 GiB and more.

PostgreSQL can't query JSON that contains lone surrogates, and its integers have 32 bits.
"""

import json

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    dataset = sa.table("dataset", sa.column("id", sa.Integer), sa.column("report", sa.JSON))
    connection = op.get_bind()
    for id_, report in connection.execute(sa.select(dataset.c.id, dataset.c.report)).all():
        plain = json.dumps(report, ensure_ascii=False).encode(errors="replace").decode()
        if plain != json.dumps(report, ensure_ascii=False):
            change = sa.update(dataset).where(dataset.c.id == id_).values(report=json.loads(plain))
            connection.execute(change)
    if connection.dialect.name == "postgresql":  # SQLite's integers have 64 bits
        op.alter_column("artifact", "bytes", type_=sa.BigInteger())
