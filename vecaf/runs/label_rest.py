"""Label the rest of the pool with the model of a run, with a bounded error rate.

The images that a run selected are not a random part of the pool, so the images that are left differ
slightly from the check images, which come from the test split. With few selected images the
difference is small; `benchmarks.label_rest` measures how often the bound fails.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from vecaf.datasets.edits import edit
from vecaf.errors import InputError
from vecaf.evaluation.error_guarantee import Guarantee, find_threshold, more_images_needed
from vecaf.evaluation.predictions import Predictions, load_predictions
from vecaf.store import FINISHED, TEST, Dataset, Run, Sample, Store, changeable, visible
from vecaf.store.check_images import check_images, labeled_by_models
from vecaf.store.datasets import in_pool
from vecaf.store.models import SELECTION, Round
from vecaf.store.random_subsets import free_name
from vecaf.store.subsets import add_subset
from vecaf.wording import plural

MAX_ERROR, CONFIDENCE = 0.02, 0.9


@dataclass(frozen=True)
class LabelingPlan:
    """What the model of a run can label.

    Attributes
    ----------
    max_error
        Acceptable share of wrong labels, from 0 to 1.
    confidence
        Probability that at most that share is wrong, from 0 to 1.
    check_images, check_wrong
        Number of check images, and on how many of them the model is wrong.
    guarantee
        None if no image can be labeled.
    needed
        How many more check images would help; None if they would not, or are not needed.
    spare
        Number of test images that are not check images yet.
    ids, labels
        Images that the model can label, and their predicted classes.
    left
        Images that are left for people, lowest confidence first.
    """

    run_id: int
    dataset_id: int
    max_error: float
    confidence: float
    check_images: int
    check_wrong: int
    guarantee: Guarantee | None
    needed: int | None
    spare: int
    ids: NDArray[np.int64]
    labels: NDArray[np.int16]
    left: NDArray[np.int64]

    @property
    def unlabeled(self) -> int:
        """Number of unlabeled images in the pool."""
        return len(self.ids) + len(self.left)

    @property
    def tests_suffice(self) -> bool:
        """Whether labels of further test images would help, and the dataset has enough of them."""
        return self.needed is not None and self.needed <= self.spare

    def sentence(self) -> str:
        """Describe the plan."""
        promise = (
            f"at most {_share(self.max_error)} wrong labels ({_share(self.confidence)} confidence)"
        )
        if not self.unlabeled:
            return (
                "All images of the pool have labels. Models don't label validation and test "
                "images, which measure accuracy."
            )
        if self.guarantee is not None and not len(self.ids):
            return f"The model is not confident enough to label any image. {self._rest()}"
        if self.guarantee is not None:
            can = f"The model can label {len(self.ids):,} of {plural(self.unlabeled, 'image')}"
            if not len(self.left):
                return f"{can} with {promise}."
            return f"{can} with {promise}. {self._rest()}"
        if not self.check_images:
            return (
                f"The studio can't guarantee {promise}, because there is no labeled random "
                f"test sample. {self._advice()}"
            )
        checked = plural(self.check_images, "labeled test image")
        return f"With {checked}, the studio can't guarantee {promise}. {self._advice()}"

    def _rest(self) -> str:
        left = plural(len(self.left), "image")
        verb = "is" if len(self.left) == 1 else "are"
        return f"{left} {verb} left for you to label, sorted by confidence, lowest first."

    def _advice(self) -> str:
        if self.needed is None:
            return "Accept a higher error rate or a lower confidence, or finetune on more labels."
        if self.tests_suffice:
            return f"Label about {plural(self.needed, 'more random test image')}."
        verb = "is" if self.spare == 1 else "are"
        left = f"only {plural(self.spare, 'test image')} {verb} unlabeled"
        if not self.spare:
            left = "all test images of the dataset are labeled"
        return (
            f"The guarantee needs about {plural(self.needed, 'more labeled test image')}, but "
            f"{left}. Import the dataset again with more test images, or accept a higher error "
            "rate."
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the plan as `--json` and the API show it."""
        found = self.guarantee
        return {
            "run": self.run_id,
            "max_error": self.max_error,
            "confidence": self.confidence,
            "check_images": self.check_images,
            "check_wrong": self.check_wrong,
            "unlabeled": self.unlabeled,
            "can_label": len(self.ids),
            "left": len(self.left),
            "threshold": None if found is None else found.threshold,
            "error_bound": None if found is None else found.error_bound,
            "more_check_images": self.needed,
        }


def plan_labels(
    store: Store,
    user_id: int,
    run_id: int,
    *,
    max_error: float = MAX_ERROR,
    confidence: float = CONFIDENCE,
) -> LabelingPlan:
    """Decide which unlabeled images of the pool the model of a finished run can label.

    Raises
    ------
    InputError
        The run has not finished, or a share is not between 0 and 1.
    NotFoundError
        The user can't see the run.
    """
    with store.read() as session:
        run = visible(session, user_id, Run, run_id)
        if run.state != FINISHED:
            raise InputError(f"Run {run_id} has not finished. Wait for it, or resume it.")
        last = session.scalar(sa.select(sa.func.max(Round.number)).where(Round.run_id == run_id))
        pool = sa.select(Sample.id).where(*in_pool(run.dataset_id)).order_by(Sample.id)
        unlabeled = _ids(session, pool.where(Sample.label.is_(None)))
        by_models = _ids(session, pool.where(Sample.id.in_(labeled_by_models(run.dataset_id))))
        checked = check_images(session, run.dataset_id)
        tests = sa.select(sa.func.count()).select_from(Sample)
        tests = tests.where(Sample.dataset_id == run.dataset_id, Sample.split == TEST)
        spare = (session.scalar(tests) or 0) - len(checked)
    predictions = load_predictions(store.settings.runs / str(run_id), last or 0)
    if predictions is None:
        raise InputError(f"Run {run_id} saved no predictions. Finetune again.")
    # With the images that models have labeled, the rest stays comparable with the check images.
    rest = _rows(predictions, np.concatenate([unlabeled, by_models]))
    check_ids = np.array(sorted(checked), dtype=np.int64)
    checks = _rows(predictions, check_ids)
    truth = np.array([checked[int(one)] for one in predictions.ids[checks]], dtype=np.int64)
    data = (
        predictions.confidence[rest],
        predictions.confidence[checks],
        predictions.predicted[checks] != truth,
    )
    failure = 1 - confidence
    found = find_threshold(*data, max_error=max_error, failure=failure)
    needed = None
    if found is None:
        needed = more_images_needed(*data, max_error=max_error, failure=failure)
    threshold = np.inf if found is None else found.threshold
    still = _rows(predictions, unlabeled)
    accepted = predictions.confidence[still] >= threshold
    easy, hard = still[accepted], still[~accepted]
    hard = hard[np.argsort(predictions.confidence[hard], kind="stable")]
    unknown = np.setdiff1d(unlabeled, predictions.ids)  # images added after the run
    return LabelingPlan(
        run_id=run_id,
        dataset_id=run.dataset_id,
        max_error=max_error,
        confidence=confidence,
        check_images=len(checks),
        check_wrong=int(data[2].sum()),
        guarantee=found,
        needed=needed,
        spare=spare,
        ids=predictions.ids[easy],
        labels=predictions.predicted[easy],
        left=np.concatenate([unknown, predictions.ids[hard]]),
    )


def apply_labels(session: Session, user_id: int, plan: LabelingPlan) -> tuple[int | None, str]:
    """Label the images of a plan, and save the images that are left as a selection.

    Images that were labeled since the plan was made keep their labels. Call this in a write
    session; it does not commit.

    Returns
    -------
    The id of the edit, with which the labels can be undone, and the name of the selection: None and
    "" where there is nothing to save.

    Raises
    ------
    NotFoundError, NotAllowedError
        The user can't see or can't change the dataset.
    """
    changeable(session, user_id, Dataset, plan.dataset_id)
    query = sa.select(Sample.id).where(*in_pool(plan.dataset_id), Sample.label.is_(None))
    unlabeled = set(session.scalars(query))
    values = {
        int(id_): int(label)
        for id_, label in zip(plan.ids, plan.labels, strict=True)
        if int(id_) in unlabeled
    }
    made = edit(session, user_id, plan.dataset_id, "label", values, run_id=plan.run_id)
    left = [int(id_) for id_ in plan.left if int(id_) in unlabeled]
    name = ""
    if left:
        name = free_name(session, plan.dataset_id, left_name(plan.run_id))
        facts = {"run": plan.run_id, "order": "lowest confidence first"}
        add_subset(session, user_id, plan.dataset_id, name, SELECTION, left, facts=facts)
    return None if made is None else made.id, name


def left_name(run_id: int) -> str:
    """Return the name of the selection with the images that a run's model could not label."""
    return f"not auto-labeled by run {run_id}"


def _rows(predictions: Predictions, ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rows of the predictions on `ids`; images without a prediction are left out."""
    return np.flatnonzero(np.isin(predictions.ids, ids))


def _ids(session: Session, query: sa.Select[Any]) -> NDArray[np.int64]:
    return np.array(session.scalars(query).all(), dtype=np.int64)


def _share(value: float) -> str:
    return f"{100 * value:.3g}%"
