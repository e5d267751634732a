"""Adapt the model of a run to unlabeled images of a target domain, after its last round."""

from __future__ import annotations

import numpy as np
import torch

from vecaf.arrays import Floats
from vecaf.augmentation.source_domain import SourceDomain
from vecaf.augmentation.target_images import LinearModel, adapt, uncentered
from vecaf.datasets.pool import Samples
from vecaf.encoders import embed_images
from vecaf.errors import InputError, UnreadableImageError
from vecaf.runs.plan import RunPlan
from vecaf.runs.preparation import with_device
from vecaf.runs.recording import Recorder
from vecaf.runs.target_outcome import Outcome, write_outcome
from vecaf.settings import Settings
from vecaf.training.context import TrainingContext
from vecaf.training.learner import Learner
from vecaf.training.target_head import TargetHead


def adapt_to_images(
    plan: RunPlan, learner: Learner, target: Samples, recorder: Recorder, settings: Settings
) -> None:
    """Adapt the head of the last round to the pool of a target dataset, unless that would harm.

    No label of the target is read. The log of the run says what happened.

    Parameters
    ----------
    plan, learner
        Of the run, after the training of its last round.
    target
        The target dataset.

    Raises
    ------
    InputError
        The pool of the target has no readable images.
    CanceledError
        The recorder asked to stop.
    """
    context, training = learner.context, learner.head_training
    head, number = training.trained(), plan.config.rounds
    features = _embed(target, context, with_device(plan.config, settings))
    recorder.stage("Adapting to the target domain")
    rows, labels = plan.training_rows(recorder, number), plan.samples.labels
    source = SourceDomain(
        context.pretrained(rows), labels[rows],
        context.pretrained(plan.val), labels[plan.val],
    )  # fmt: skip
    mean = context.features.mean.cpu().numpy()
    pool = uncentered(context.pretrained(plan.pool), mean)
    model = LinearModel(_array(head.linear.weight), _array(head.linear.bias))
    found = adapt(model, mean, pool, source, features)
    adapted = TargetHead.of(head, found) if found.adapted else None
    training.adapt(number, adapted, recorder.publishing)
    recorder.log(found.reason, "info" if found.adapted else "warning")
    outcome = Outcome(plan.config.adapt_to, len(features), found.adapted, found.reason)
    write_outcome(context.folder, outcome, recorder.publishing)


def _embed(target: Samples, context: TrainingContext, settings: Settings) -> Floats:
    """Return the features (n, d) of the pool's images that can be read."""
    rows = target.pool
    while len(rows):
        try:
            return embed_images(
                context.pvm,
                [target.keys[row] for row in rows],
                target.path_of,
                settings=settings,
                progress=context.monitor.progress,
                should_stop=context.monitor.should_stop,
            )
        except UnreadableImageError as error:
            paths = [target.paths[row] for row in rows]
            bad = np.array([path == error.path or not path.exists() for path in paths])
            if not bad.any():
                raise
            rows = rows[~bad]
    raise InputError(
        f"The pool of the target dataset '{context.config.adapt_to}' has no readable images. Add "
        "images to its train split."
    )


def _array(tensor: torch.Tensor) -> Floats:
    return tensor.detach().cpu().numpy()
