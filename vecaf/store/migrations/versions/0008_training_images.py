"""Rename the setting `picks` of stored runs to `training_images`."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run = sa.table("run", sa.column("id", sa.Integer), sa.column("config", sa.JSON))
    connection = op.get_bind()
    for id_, config in connection.execute(sa.select(run.c.id, run.c.config)).all():
        if "picks" in config:
            config["training_images"] = config.pop("picks")
            connection.execute(sa.update(run).where(run.c.id == id_).values(config=config))
