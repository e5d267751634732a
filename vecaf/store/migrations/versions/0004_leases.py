"""Make the job tables the queue: the worker of each job, and its crashes and lost workers."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("run", "import", "task"):
        op.add_column(table, sa.Column("worker", sa.String(length=100), nullable=True))
        for name in ("crashes", "losses"):
            op.add_column(table, sa.Column(name, sa.Integer(), nullable=False, server_default="0"))
        op.drop_column(table, "submission")  # a workflow id of the former queue
