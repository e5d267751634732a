"""Predict many images with the model of a finished run; see `batch_results` for the files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from vecaf.arrays import softmax
from vecaf.datasets.checked_images import (
    Accepted,
    ImportProgress,
    RefusedThumbnails,
    stage_images,
)
from vecaf.datasets.decoder_pool import DecoderPool
from vecaf.datasets.folder_layout import Place
from vecaf.datasets.import_report import Refusal
from vecaf.datasets.opening import open_source
from vecaf.datasets.staging import ImageFolder
from vecaf.evaluation.novelty import fit_novelty
from vecaf.export.bundle import model_folder
from vecaf.runs.batch_results import BatchSummary, Prediction, write_results
from vecaf.runs.trained_model import held_out_features, load_trained_model
from vecaf.store import Store
from vecaf.training.prediction import predict as run_model

CHUNK = 4096  # images whose features are in memory at once: 20 MB at 1,280 features
MAX_HELD_OUT = 500  # validation images that set the threshold

Progress = Callable[[str, int, int], None]


def predict_images(
    store: Store,
    user_id: int,
    run_id: int,
    source: Path,
    folder: Path,
    *,
    progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> BatchSummary:
    """Predict the images of a folder or a ZIP file, and write the results to `folder`.

    A file that can't be read does not stop the others; its prediction has the reason.

    Parameters
    ----------
    progress
        Called as `progress(stage, done, total)`.
    should_stop
        Returns whether to cancel.

    Raises
    ------
    InputError
        The run has no model, or the source is neither a folder nor a ZIP file, or exceeds a limit.
    NotFoundError
        The run does not exist.
    CanceledError
        `should_stop` returned True.
    UnavailableError
        The disk is full.
    """
    model_files = model_folder(store, user_id, run_id)
    watch = ImportProgress(progress, should_stop)
    accepted, refused = _stage(store, source, folder, watch)
    watch.show("Loading the model", 0, 0)
    model = load_trained_model(store, user_id, run_id, model_files)
    held_out = held_out_features(store, user_id, run_id, model_files, model.predictor, MAX_HELD_OUT)
    novelty = fit_novelty(model.features, held_out)
    found: list[Prediction] = []
    for start in range(0, len(accepted), CHUNK):
        part = accepted[start : start + CHUNK]

        def report(done: int, _total: int, start: int = start) -> None:
            watch.show("Predicting images", start + done, len(accepted))

        features, logits = run_model(
            model.predictor.model,
            [folder / "images" / f"{one.sha256}{one.extension}" for one in part],
            model.predictor.preprocessing,
            should_stop,
            report,
        )
        shares, distances = softmax(logits), novelty.distances(features)
        best = shares.argmax(axis=1)
        found += [
            Prediction(
                file=one.place.name,
                label=model.predictor.classes[best[row]],
                confidence=round(float(shares[row, best[row]]), 4),
                distance=round(float(distances[row]), 4),
                unlike=bool(distances[row] > novelty.threshold),
                sha256=one.sha256,
                extension=one.extension,
            )
            for row, one in enumerate(part)
        ]
    found += [Prediction(file=one.file, error=one.reason) for one in refused]
    found.sort(key=lambda one: one.file)
    summary = BatchSummary(
        run=run_id,
        images=len(accepted),
        refused=len(refused),
        unlike=sum(bool(one.unlike) for one in found),
        threshold=round(novelty.threshold, 4),
        score=novelty.sentence(),
        classes=dict(Counter(one.label for one in found if one.label is not None).most_common()),
    )
    write_results(folder, found, summary)
    return summary


def _stage(
    store: Store, source: Path, folder: Path, watch: ImportProgress
) -> tuple[list[Accepted], list[Refusal]]:
    limits = store.settings.limits
    images = ImageFolder()
    images.create(folder)
    with closing(open_source(source, limits)) as opened, DecoderPool(limits) as decoders:
        places = {member.name: Place(member.name) for member in opened.members}
        thumbnails = RefusedThumbnails(images, decoders)
        accepted, refused = stage_images(
            opened, places, images, limits, decoders, watch, thumbnails
        )
        return accepted, [*opened.refused, *refused]
