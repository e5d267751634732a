"""Add the forecast of a round. Earlier rounds have none."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    column = sa.Column("forecast", sa.JSON(), nullable=False, server_default="{}")
    op.add_column("round", column)
