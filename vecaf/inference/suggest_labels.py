"""Which class would these images be? A first guess for the person who labels them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecaf.arrays import Floats, unit_rows
from vecaf.augmentation.captions import class_caption
from vecaf.augmentation.text_classifier import text_classifier
from vecaf.errors import InputError
from vecaf.evaluation.metrics import probabilities
from vecaf.inference.image_index import Gallery
from vecaf.inference.questions import ANSWERS, Desk
from vecaf.store import TRAIN, Dataset, visible
from vecaf.store.columns import SPLITS, read_columns

MAX_IMAGES = 5000
CLIP_TEMPERATURE = 0.01  # CLIP learns a scale of 100 for its cosines
EMBEDDED_TEMPERATURE = 0.05  # of the embedded VLM, where confidence is about accuracy (on PACS)
LOOKS_TEMPERATURE = np.float32(0.1)  # of cosines with class means, chosen likewise
FITTED_TEMPERATURE = np.float32(0.6)  # of a text classifier's logits, likewise, on CIFAR-10 too
ENOUGH = 100  # images from which on the VLM's errors average out
HALF_TRUST = 3  # labelled images a class at which words count half of what they are worth


@ANSWERS.register
def suggest_labels(
    desk: Desk,
    user: int,
    *,
    dataset_id: int,
    sample_ids: Sequence[int],
    classes: Sequence[str],
    vlm: str = "embedded",
) -> dict[str, Any]:
    """{"labels", "confidences"}: for each sample an index into `classes` and its probability.

    Zero-shot by the VLM (`from_words`), joined by likeness to the labelled pool images once every
    class has one; see `guess`. Suggestions only: no selector sees them.

    Raises InputError for fewer than two classes, NotFoundError for the dataset or a sample that is
    not in it, UnavailableError as `search_text`.
    """
    names = [str(name) for name in classes]
    if len(names) < 2:
        raise InputError("Give at least two classes to choose from.")
    if len(sample_ids) > MAX_IMAGES:
        raise InputError(f"Ask for at most {MAX_IMAGES} images at a time.")
    gallery = desk.gallery(user, dataset_id, vlm)
    rows = gallery.rows_of(sample_ids)
    told = from_words(gallery, gallery.texts([class_caption(name) for name in names]), vlm)
    labels = pool_labels(desk, user, dataset_id, names)
    shares = probabilities(guess(gallery, rows, told, labels))
    return {
        "labels": shares.argmax(axis=1).tolist(),
        "confidences": [round(float(value), 4) for value in shares.max(axis=1)],
    }


def pool_labels(desk: Desk, user: int, dataset_id: int, names: list[str]) -> NDArray[np.int64]:
    """Labels (n,) of the dataset's pool as they are now, as indices into `names`; −1: none."""
    with desk.store.read() as session:
        known = visible(session, user, Dataset, dataset_id).classes
        columns = read_columns(session, user, dataset_id)
    index = [names.index(name) if name in names else -1 for name in known]
    labels = np.array([*index, -1])[columns.labels]  # −1 looks up the last entry
    labels[(columns.splits != SPLITS.index(TRAIN)) | columns.excluded] = -1
    return labels


def from_words(gallery: Gallery, words: Floats, vlm: str) -> Floats:
    """Logits (n, classes) of all images, by the embeddings (classes, e) of a sentence a class.

    Read off the dataset as a whole (`text_classifier`) where it has enough images: on PACS photos
    that is right on 97% where image by image the embedded VLM is on 85%, on cartoons on 44% for 34.
    """
    cosines = gallery.words @ words.T
    if len(cosines) >= ENOUGH:
        fitted: Floats = gallery.looks @ text_classifier(gallery.looks, cosines).T
        return fitted / FITTED_TEMPERATURE
    temperature = EMBEDDED_TEMPERATURE if vlm == "embedded" else CLIP_TEMPERATURE
    return cosines / np.float32(temperature)


def guess(
    gallery: Gallery, rows: NDArray[np.int64], told: Floats, labels: NDArray[np.int64]
) -> Floats:
    """Logits (q, classes) of `rows` by what words say of all images, and by labelled images.

    told: (n, classes), `from_words`. labels: (n,) of the pool, −1 where there is none. Words count
    as much as they were right on the labelled images (squared accuracy above chance), and less the
    more images there are.
    """
    classes = told.shape[1]
    known = np.flatnonzero(labels >= 0)
    least = int(np.bincount(labels[known], minlength=classes).min())
    if not least:
        return told[rows]
    right = told[known].argmax(axis=1) == labels[known]
    merit = max(0.0, (float(right.mean()) - 1 / classes) / (1 - 1 / classes))
    trust = np.float32(merit**2 / (1 + least / HALF_TRUST))
    return (
        told[rows] * trust + class_means(gallery.looks, rows, labels, classes) / LOOKS_TEMPERATURE
    )


def class_means(
    looks: Floats, rows: NDArray[np.int64], labels: NDArray[np.int64], classes: int
) -> Floats:
    """Cosine (q, classes) of `rows` of `looks` (n, m) with the mean of each class's labelled rows.

    A row's own label is left out of its class's mean, for it would suggest itself.
    """
    sums = np.stack([looks[labels == number].sum(axis=0) for number in range(classes)])
    cosine = looks[rows] @ unit_rows(sums).T
    own = np.flatnonzero(labels[rows] >= 0)
    others = unit_rows(sums[labels[rows[own]]] - looks[rows[own]])
    cosine[own, labels[rows[own]]] = (looks[rows[own]] * others).sum(axis=1)
    return cosine
