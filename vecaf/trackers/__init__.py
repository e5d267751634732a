"""Experiment trackers that a run can also report to: one file each, in one registry."""

from vecaf.trackers.mlflow import mlflow
from vecaf.trackers.tensorboard import tensorboard
from vecaf.trackers.tracker import (
    TRACKERS,
    TrackedRun,
    Tracker,
    check_trackers,
    describe_trackers,
    tracker_names,
)
from vecaf.trackers.trackio import trackio

__all__ = [
    "TRACKERS",
    "TrackedRun",
    "Tracker",
    "check_trackers",
    "describe_trackers",
    "mlflow",
    "tensorboard",
    "tracker_names",
    "trackio",
]
