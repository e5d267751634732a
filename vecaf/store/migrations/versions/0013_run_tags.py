"""Add the tags of runs. Earlier runs have none."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("run", sa.Column("tags", sa.Text(), nullable=False, server_default=""))
