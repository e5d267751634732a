"""Rename the setting `text_pull` to `caption_weight` in runs, tasks and saved selections."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

OLD, NEW = "text_pull", "caption_weight"
COLUMNS = (("run", "config"), ("task", "params"), ("subset", "facts"))


def upgrade() -> None:
    connection = op.get_bind()
    for name, column in COLUMNS:
        table = sa.table(name, sa.column("id", sa.Integer), sa.column(column, sa.JSON))
        for id_, values in connection.execute(sa.select(table.c.id, table.c[column])).all():
            if OLD in values:
                renamed = {NEW if key == OLD else key: value for key, value in values.items()}
                changed = sa.update(table).where(table.c.id == id_).values({column: renamed})
                connection.execute(changed)
