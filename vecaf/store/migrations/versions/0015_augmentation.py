"""Store the augmentation and layer decay of runs that relied on their earlier defaults.

Both now follow the number of passes over the images. A run must keep what it was trained with.
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

EARLIER = {"augmentation": "full", "layer_decay": 0.75}


def upgrade() -> None:
    run = sa.table("run", sa.column("id", sa.Integer), sa.column("config", sa.JSON))
    connection = op.get_bind()
    for id_, config in connection.execute(sa.select(run.c.id, run.c.config)).all():
        kept = {**EARLIER, **config}
        if kept != config:
            connection.execute(sa.update(run).where(run.c.id == id_).values(config=kept))
