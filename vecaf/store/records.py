"""The records of a run and of its rounds, as pages, the HTTP API, and commands read them.

They are pydantic dataclasses: the same definition validates, documents, and serializes a record.
"""

from __future__ import annotations

from dataclasses import field
from datetime import datetime
from functools import cache
from typing import Annotated, Any

from pydantic import Field, TypeAdapter
from pydantic.dataclasses import dataclass

from vecaf.store.models.base import TEST, VAL
from vecaf.wording import percent, plural

Metrics = dict[str, dict[str, float]]
"""Values by split (val, test), then by metric. A split without labeled images has none."""


def accuracies(val: float | None, test: float | None) -> Metrics:
    """Return the metrics of a round that an earlier version stored: its accuracies."""
    found = {VAL: val, TEST: test}
    return {split: {} if value is None else {"accuracy": value} for split, value in found.items()}


def _described(text: str, **options: Any) -> Any:
    return Field(description=text, **options)


@dataclass(frozen=True)
class RoundResult:
    """The result of a finished round. Counts are cumulative over the rounds of the run."""

    number: Annotated[int, _described("Number of the round, from 1.", serialization_alias="round")]
    labeled: Annotated[int, _described("Images that the run has selected so far.")]
    batches: Annotated[int, _described("Optimizer steps so far.")]
    val_accuracy: Annotated[
        float | None,
        _described("Validation accuracy, 0 to 1; null without labeled validation images."),
    ]
    test_accuracy: Annotated[
        float | None, _described("Test accuracy, 0 to 1; null without labeled test images.")
    ]
    seconds: Annotated[
        float, _described("Duration of the round, or of its last attempt if it was interrupted.")
    ]
    confusion: Annotated[list[list[int]] | None, Field(exclude=True, repr=False)] = None
    """Test images by true class (rows) and predicted class (columns); None if it was not loaded.

    Not part of the JSON."""
    metrics: Annotated[Metrics, _described("Values by split (val, test), then by metric.")] = field(
        default_factory=dict
    )
    forecast: Annotated[dict[str, Any], Field(exclude=True, repr=False)] = field(
        default_factory=dict
    )
    """What more labels are expected to gain (`vecaf.runs.forecasting`); empty if unknown.

    Not part of the JSON."""

    def __post_init__(self) -> None:
        if not self.metrics:
            object.__setattr__(self, "metrics", accuracies(self.val_accuracy, self.test_accuracy))

    def sentence(self) -> str:
        """Describe the result as a line of the run's log."""
        return (
            f"Round {self.number}: test accuracy {percent(self.test_accuracy)}, validation "
            f"accuracy {percent(self.val_accuracy)} after {plural(self.labeled, 'labeled image')} "
            f"and {plural(self.batches, 'batch', 'batches')}; took {self.seconds:.0f} s."
        )


@dataclass(frozen=True)
class RunSummary:
    """One run, with its state and the accuracies of its last finished round."""

    id: Annotated[int, _described("Number of the run.", serialization_alias="run")]
    name: Annotated[str, _described("Name of the run.")]
    tags: Annotated[tuple[str, ...], _described("Tags that users have given to the run.")]
    dataset: Annotated[str, _described("Name of the dataset.")]
    dataset_id: Annotated[int, _described("Id of the dataset.")]
    strategy: Annotated[str, _described("Selection strategy.")]
    seed: Annotated[int, _described("Random seed.")]
    state: Annotated[str, _described("queued, running, finished, failed, or canceled.")]
    stage: Annotated[str, _described("What the run is doing now, for people.")]
    done: Annotated[int, _described("Progress of the stage, out of `total`.")]
    total: Annotated[int, _described("Length of the stage; 0 if unknown.")]
    cancel_requested: Annotated[bool, _described("Whether a user has canceled the run.")]
    error: Annotated[str | None, _described("Why the run failed; null otherwise.")]
    created_at: Annotated[datetime, _described("When the run was launched.")]
    started_at: Annotated[datetime | None, _described("When its first attempt started.")]
    finished_at: Annotated[
        datetime | None, _described("When it finished, failed, or was canceled.")
    ]
    rounds: Annotated[int, _described("Number of rounds that the run is configured for.")]
    rounds_done: Annotated[int, _described("Number of finished rounds.")]
    labeled: Annotated[
        int | None,
        _described(
            "Images that the run has selected up to its last finished round; null until a round "
            "has finished."
        ),
    ]
    val_accuracy: Annotated[
        float | None, _described("Validation accuracy after the last finished round, 0 to 1.")
    ]
    test_accuracy: Annotated[
        float | None, _described("Test accuracy after the last finished round, 0 to 1.")
    ]
    metrics: Annotated[
        Metrics,
        _described("Metrics after the last finished round, by split (val, test), then by metric."),
    ]
    attempt: Annotated[int, _described("Number of attempts; above 1 after an interruption.")]
    node: Annotated[
        str | None,
        _described("Cluster node or GPU that executes the run; null if there is only one."),
    ]
    seconds: Annotated[float, _described("Total duration of the finished rounds.")]


@dataclass(frozen=True)
class RunDetails(RunSummary):
    """One run with the results of its finished rounds."""

    results: Annotated[list[RoundResult], _described("One entry per finished round, in order.")]


def as_json(record: RoundResult | RunSummary) -> dict[str, Any]:
    """Serialize a record as the HTTP API and `--json` show it."""
    kind: Any = type(record)  # not hashable to the type checker
    value: dict[str, Any] = _adapter(kind).dump_python(record, mode="json", by_alias=True)
    return value


@cache
def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
