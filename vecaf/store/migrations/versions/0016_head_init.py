"""Store the initial classifier weights of runs that relied on the earlier default, class names.

The new default, `auto`, means the same in the label-free track. These runs get it, so that they
compare as equal with new ones. With labels known it means class means, so the others keep `text`.
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run = sa.table("run", sa.column("id", sa.Integer), sa.column("config", sa.JSON))
    connection = op.get_bind()
    for id_, config in connection.execute(sa.select(run.c.id, run.c.config)).all():
        if config.get("head_init", "text") == "text":
            label_free = config.get("track", "label-free") == "label-free"
            kept = {**config, "head_init": "auto" if label_free else "text"}
            connection.execute(sa.update(run).where(run.c.id == id_).values(config=kept))
