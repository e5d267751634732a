"""Add the run whose model chose the labels of an edit. Earlier edits are by people."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("edit", sa.Column("run_id", sa.Integer(), nullable=True))
