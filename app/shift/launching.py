"""Launch a pair of runs: a baseline, and a run with a target domain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import gradio as gr

from vecaf.config import RunConfig
from vecaf.store import CANCELED, ENDED, FAILED, Dataset, Run, visible
from vecaf.store.run_pairs import find_run_pairs

from ..shell.studio import Studio


def launch_pair(
    studio: Studio,
    user: int,
    dataset_id: int,
    base: Run | None,
    settings: Mapping[str, str],
    *,
    words: str = "",
    images: str = "",
) -> int:
    """Queue the missing runs of a pair, unless they are in progress already.

    Parameters
    ----------
    base
        The run that the page was opened from. It is the pair's baseline if it has no target domain.
    settings
        Without `base`: the budget, the seed and the mode, where given.
    words, images
        The target domain: in words, or a dataset with images of it.

    Returns
    -------
    int
        The number of the run with the target domain.
    """
    from vecaf.engine.queue import submit_run

    with studio.store.read() as session:
        name = visible(session, user, Dataset, dataset_id).name
        pairs = find_run_pairs(session, user, dataset_id)
    if base is not None:
        config = RunConfig.from_dict(base.config)
        plain = replace(config, dataset=name, target_words="", adapt_to="")
    else:
        given = {key: settings[key] for key in ("budget", "seed", "mode") if key in settings}
        plain = RunConfig.from_dict({"dataset": name, "rounds": 1, **given})
    shifted = replace(plain, target_words=words, adapt_to=images).checked()
    for pair in pairs:
        if pair.shifted.state not in ENDED and pair.shifted.config == shifted.as_dict():
            gr.Info("These runs are already in progress.", title="")
            return pair.shifted.id
    if base is None or not any(
        _is_baseline(run, plain) for run in (base, *(pair.plain for pair in pairs))
    ):
        submit_run(studio.store, plain, user)
    return submit_run(studio.store, shifted, user)


def _is_baseline(run: Run, plain: RunConfig) -> bool:
    """Return whether a run has these settings and a result, now or later."""
    settings = {**RunConfig().as_dict(), **run.config, "dataset": plain.dataset}
    return run.state not in (FAILED, CANCELED) and settings == plain.as_dict()
