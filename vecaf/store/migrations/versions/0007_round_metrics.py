"""Add the metrics of a round. Earlier rounds keep their accuracies and have no other metrics."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    column = sa.Column("metrics", sa.JSON(), nullable=False, server_default="{}")
    op.add_column("round", column)
