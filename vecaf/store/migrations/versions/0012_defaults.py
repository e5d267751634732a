"""Store the settings of runs that relied on defaults of earlier versions.

- Images below 96 pixels were embedded at 96; now at 160. A run must keep the size that it was
  trained at. Transformers keep the size of their pretrained weights in both versions.
- Classifiers also trained on captions, before there was a setting for it.
"""

import statistics

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

SMALL = 96
CONVOLUTIONAL = (
    "efficientnet", "tf_efficientnet", "mobilenet", "convnext", "resnet", "resnext", "wide_resnet",
    "regnet", "densenet", "vgg",
)  # fmt: skip


def upgrade() -> None:
    run = sa.table(
        "run", sa.column("id", sa.Integer), sa.column("dataset_id"), sa.column("config", sa.JSON)
    )
    connection = op.get_bind()
    small: dict[int | None, bool] = {}
    for id_, dataset, config in connection.execute(
        sa.select(run.c.id, run.c.dataset_id, run.c.config)
    ).all():
        changed = {"train_on_captions": "yes", **config}
        model = config.get("model", "efficientnet_lite0")
        if not config.get("image_size") and model.startswith(CONVOLUTIONAL):
            if dataset not in small:
                small[dataset] = _has_small_images(connection, dataset)
            if small[dataset]:
                changed["image_size"] = SMALL
        if changed != config:
            connection.execute(sa.update(run).where(run.c.id == id_).values(config=changed))


def _has_small_images(connection: sa.Connection, dataset: int | None) -> bool:
    sample = sa.table("sample", sa.column("dataset_id"), sa.column("width"), sa.column("height"))
    sides = connection.execute(
        sa.select(sample.c.width, sample.c.height).where(sample.c.dataset_id == dataset)
    ).all()
    return bool(sides) and int(statistics.median(map(min, sides))) < SMALL
