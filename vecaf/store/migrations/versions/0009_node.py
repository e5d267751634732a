"""Add the node of a cluster, or the GPU, on which a job runs."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("run", "import", "task"):
        op.add_column(table, sa.Column("node", sa.String(length=200), nullable=True))
