"""The database: tables, sessions, authorization and queries."""

from vecaf.store.authorization import (
    changeable,
    check_model_files,
    dataset_named,
    readable,
    visible,
    visible_sample,
)
from vecaf.store.database import Store
from vecaf.store.models import (
    CANCELED,
    ENDED,
    EVALUATION,
    FAILED,
    FINISHED,
    QUEUED,
    RUNNING,
    SELECTION,
    SUBSET,
    TEST,
    TRAIN,
    VAL,
    Annotation,
    Artifact,
    ClassChange,
    Dataset,
    Edit,
    EmbeddingSet,
    Event,
    Import,
    Login,
    LoginFailure,
    Metric,
    Round,
    Run,
    Sample,
    SelectedSample,
    Share,
    Subset,
    SubsetSample,
    Task,
    User,
    Worker,
)

__all__ = [
    "CANCELED", "ENDED", "EVALUATION", "FAILED", "FINISHED", "QUEUED", "RUNNING", "SELECTION",
    "SUBSET", "TEST", "TRAIN", "VAL", "Annotation", "Artifact", "ClassChange", "Dataset",
    "Edit", "EmbeddingSet", "Event", "Import", "Login", "LoginFailure", "Metric", "Round", "Run",
    "Sample", "SelectedSample", "Share", "Store", "Subset", "SubsetSample", "Task", "User",
    "Worker", "changeable", "check_model_files", "dataset_named", "readable", "visible", "visible_sample",
]  # fmt: skip
