"""The database: typed tables, short sessions, the gate, and the named queries."""

from vecaf.store.engine import Store
from vecaf.store.gate import dataset_named, visible, visible_sample
from vecaf.store.models import (
    CANCELED,
    ENDED,
    FAILED,
    FINISHED,
    QUEUED,
    RUNNING,
    TEST,
    TRAIN,
    VAL,
    Annotation,
    Artifact,
    Dataset,
    EmbeddingSet,
    Event,
    Import,
    Layout,
    Metric,
    Round,
    Run,
    Sample,
    Selection,
    User,
    Worker,
)

__all__ = [
    "CANCELED", "ENDED", "FAILED", "FINISHED", "QUEUED", "RUNNING", "TEST", "TRAIN", "VAL",
    "Annotation", "Artifact", "Dataset", "EmbeddingSet", "Event", "Import", "Layout", "Metric",
    "Round", "Run", "Sample", "Selection", "Store", "User", "Worker",
    "dataset_named", "visible", "visible_sample",
]  # fmt: skip
