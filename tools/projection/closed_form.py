"""The parts of the projection, fitted in closed form, and their scores on held-out photos.

No image of a benchmark is used here. The parts are fitted on ImageNet photos in the domains of
`domains`. The scores are measured on every fifth photo, with a trial fit on the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tools.projection.domains import DOMAINS, drawn, unusual
from vecaf.arrays import Floats, unit_rows
from vecaf.encoders.projection import Projection
from vecaf.encoders.text import TextTower

Ints = npt.NDArray[np.int64]

NOUNS = (
    "dog", "bird", "fish", "car", "boat", "house", "chair", "tree", "flower", "bottle", "horse",
    "insect", "cup", "tool", "fruit", "musical instrument",
)  # fmt: skip
PLAIN = "a photo of a {}"
THUMBNAILS = (
    "a low resolution photo of a {}",
    "a tiny photo of a {}",
)  # the last domain
WHITENED = 0.01  # ridge of the inverse covariance, in units of its mean variance
RIDGE = 1.0  # of the map from features to texts, in units of the mean scatter
SHRUNK = 1.0  # of the scatter within domains, in the same units
RANK = 12  # rank of a domain's spread
MISTAKEN = 0.05  # share of photos that may be classified as drawings
STYLE = 1.5  # length of the style, relative to the content
STYLE_AXES = 8  # axes of style that are removed from the content, which would dominate them
THUMBNAIL_WEIGHT = 0.5  # of a thumbnail in the ridge map, because there are many
UNRELATED = (
    "in the kitchen", "made of wood", "seen from above", "with a hat", "in Paris", "on a table",
    "next to a tree", "that is very expensive",
)  # fmt: skip


@dataclass(frozen=True)
class Seen:
    """Features (n, d) of images, the photo (n,) that each was made from, and its domain (n,)."""

    features: npt.NDArray[np.float16]
    photo: Ints
    domain: Ints

    def only(self, keep: npt.NDArray[np.bool_]) -> Seen:
        """Return the images made from the photos in `keep`."""
        at = keep[self.photo]
        return Seen(self.features[at], self.photo[at], self.domain[at])


def fit(
    seen: Mapping[str, Seen],
    classes: Ints,
    tower: TextTower,
    class_rows: Floats,
    keep: npt.NDArray[np.bool_] | None = None,
) -> tuple[dict[str, npt.NDArray[np.floating]], tuple[str, ...]]:
    """Fit the tensors of a `Projection`; return them and the names of the domains.

    Parameters
    ----------
    seen
        Features by name: clean, large, small and small-domains (see `fit.features_of`).
    classes
        ImageNet class of each photo, shape (photos,).
    tower
        Text tower.
    class_rows
        Text embeddings of the classes, shape (1000, e).
    keep
        Photos to fit on; all by default.
    """
    if keep is not None:
        seen = {name: one.only(keep) for name, one in seen.items()}
    clean = seen["clean"].features.astype(np.float32)
    large, thumbs = seen["large"], seen["small"]
    names = tuple(DOMAINS)
    # Every fourth thumbnail suffices for moments.
    rows = np.concatenate([large.features, thumbs.features[::4]]).astype(np.float32)
    domain = np.concatenate([large.domain, np.full(len(thumbs.features[::4]), len(names))])
    mean, deviation = moments(rows, domain, len(names) + 1)
    style_weight, style_bias = discriminant(rows, domain, mean)
    content = whitened(class_rows)

    every = np.concatenate([large.features, thumbs.features]).astype(np.float32)
    photo = np.concatenate([large.photo, thumbs.photo])
    importance = np.ones(len(every), np.float32)
    importance[len(large.features) :] = THUMBNAIL_WEIGHT
    length = float(np.linalg.norm(content, axis=1).mean())
    ridge, center = ridge_map(every, content[classes[photo]] / length, importance)

    places, words, owners = texts(tower)
    lean = np.zeros(len(names) + 1, np.float32)
    photographed = np.array([is_photographic(name) for name in names] + [True])
    scores = rows @ style_weight + style_bias
    lean[~photographed] = leaning(scores[domain == 0], photographed)
    axes = np.linalg.svd(places, full_matrices=False)[2][:STYLE_AXES]
    content, ridge = content - content @ axes.T @ axes, ridge - ridge @ axes.T @ axes
    tensors = {
        "clean.mean": clean.mean(axis=0),
        "clean.std": clean.std(axis=0),
        "domain.mean": mean,
        "domain.std": deviation,
        "style.weight": style_weight,
        "style.bias": style_bias,
        "style.lean": lean,
        "style.places": STYLE * places,
        "content.classes": content,
        "ridge.weight": ridge,
        "ridge.mean": center,
        "words.rows": words,
        "words.domain": owners.astype(np.float32),
        **shifts_of("large", large, large),
        **shifts_of("small", thumbs, seen["small-domains"]),
    }
    exact = {"style.weight", "style.bias", "clean.mean", "domain.mean", "ridge.mean"}
    kinds = {name: np.float32 if name in exact else np.float16 for name in tensors}
    return {name: np.ascontiguousarray(t, kinds[name]) for name, t in tensors.items()}, names


def moments(rows: Floats, domain: Ints, count: int) -> tuple[Floats, Floats]:
    """Return mean and standard deviation of each domain's channels, shape (count, d) each."""
    groups = [rows[domain == number] for number in range(count)]
    mean = np.stack([group.mean(axis=0) for group in groups])
    return mean, np.stack([group.std(axis=0) for group in groups])


def discriminant(rows: Floats, domain: Ints, mean: Floats) -> tuple[Floats, Floats]:
    """Fit a linear discriminant analysis with equal priors.

    Returns weight (d, k) and bias (k,): scores = rows @ weight + bias.
    """
    within = rows - mean[domain]
    scatter = within.T @ within / len(within)
    size = np.trace(scatter) / len(scatter)
    scatter += SHRUNK * size * np.eye(len(scatter), dtype=np.float32)
    weight = np.linalg.solve(scatter, mean.T)
    return weight, -0.5 * (mean.T * weight).sum(axis=0)


def whitened(class_rows: Floats) -> Floats:
    """Multiply centered class texts (c, e) by their inverse covariance.

    Most of a cosine comes from what all classes share; the inverse covariance reduces that. Only
    the image side is multiplied, so texts stay unchanged.
    """
    centered = class_rows - class_rows.mean(axis=0)
    covariance = centered.T @ centered / len(centered)
    width = len(covariance)
    scaled = covariance * (width / np.trace(covariance))
    inverse = np.linalg.inv(scaled + WHITENED * width * np.eye(width, dtype=np.float32))
    return np.asarray(centered @ (inverse / np.abs(inverse).max()), np.float32)


def ridge_map(rows: Floats, targets: Floats, importance: Floats) -> tuple[Floats, Floats]:
    """Fit targets − mean ≈ (rows − center) @ weight; return weight (d, e) and center (d,)."""
    center = rows.mean(axis=0)
    centered = rows - center
    weighted = centered * importance[:, None]
    scatter = weighted.T @ centered
    scatter += RIDGE * np.trace(scatter) / len(scatter) * np.eye(len(scatter), dtype=np.float32)
    return np.linalg.solve(scatter, weighted.T @ (targets - targets.mean(axis=0))), center


def texts(tower: TextTower) -> tuple[Floats, Floats, Ints]:
    """Embed the sentences of the domains.

    Returns
    -------
    places : array of shape (k + 1, e)
        Mean embedding of each domain, centered.
    words : array of shape (m, e)
        Difference between each sentence and that of a photo.
    owners : array of shape (m,)
        Domain of each difference.
    """
    sentences = [(number, s) for number, d in enumerate(DOMAINS.values()) for s in d.sentences]
    sentences += [(len(DOMAINS), sentence) for sentence in THUMBNAILS]
    means = np.stack([said(tower, sentence) for _, sentence in sentences])
    owners = np.array([number for number, _ in sentences])
    places = np.stack([means[owners == number].mean(axis=0) for number in range(len(DOMAINS) + 1)])
    moving = (owners > 0) & (owners < len(DOMAINS))
    return places - places.mean(axis=0), (means - said(tower, PLAIN))[moving], owners[moving]


def said(tower: TextTower, sentence: str) -> Floats:
    """Return the mean embedding (e,) of a sentence over some nouns."""
    return np.asarray(tower([sentence.format(noun) for noun in NOUNS]).mean(axis=0), np.float32)


def is_photographic(name: str) -> bool:
    """Return whether images of a domain are still photos, so "a drawing" doesn't describe them."""
    module = DOMAINS[name].transform.__module__
    return module not in (drawn.__name__, unusual.__name__) or name in ("underwater", "sunset")


def leaning(scores: Floats, photographic: npt.NDArray[np.bool_]) -> float:
    """Return a bias for the scores of drawn domains, so that MISTAKEN of the photos become
    drawings.

    Drawings made by filters are farther from photos than real ones, so equal scores would be too
    strict. `scores` (n, k + 1) are those of photos.
    """
    gap = scores[:, photographic].max(axis=1) - scores[:, ~photographic].max(axis=1)
    return float(np.quantile(gap, MISTAKEN))


def shifts_of(size: str, photos: Seen, transformed: Seen) -> dict[str, Floats]:
    """Return mean (k, d) and spread (k, RANK, d) of each domain's shift of features.

    Units are lengths of a centered feature row.
    """
    of_photos = unit_rows(photos.features[photos.domain == 0].astype(np.float32))
    owners = photos.photo[photos.domain == 0]
    center = of_photos.mean(axis=0)
    length = float(np.linalg.norm(of_photos - center, axis=1).mean())
    count = np.bincount(owners, minlength=int(max(owners.max(), transformed.photo.max())) + 1)
    home = np.zeros((len(count), of_photos.shape[1]), np.float32)
    np.add.at(home, owners, of_photos)
    home /= np.maximum(count, 1)[:, None]
    width = of_photos.shape[1]
    mean = np.zeros((len(DOMAINS), width), np.float32)
    spread = np.zeros((len(DOMAINS), RANK, width), np.float32)
    for number in range(1, len(DOMAINS)):
        at = np.flatnonzero(transformed.domain == number)
        rows = unit_rows(transformed.features[at].astype(np.float32))
        mean[number] = (rows.mean(axis=0) - center) / length
        known = count[transformed.photo[at]] > 0
        moved = (rows[known] - home[transformed.photo[at][known]]) / length
        _, values, axes = np.linalg.svd(moved - moved.mean(axis=0), full_matrices=False)
        spread[number] = values[:RANK, None] * axes[:RANK] / np.sqrt(len(moved))
    return {f"{size}.mean": mean, f"{size}.spread": spread}


def scores(
    trial: tuple[dict[str, npt.NDArray[np.floating]], tuple[str, ...]],
    seen: Mapping[str, Seen],
    classes: Ints,
    tower: TextTower,
    weight: Floats,
    bias: Floats,
    held_out: npt.NDArray[np.bool_],
) -> list[str]:
    """Return sentences about the accuracy of a trial fit on the photos `held_out`."""
    projection = Projection({k: t.astype(np.float32) for k, t in trial[0].items()}, trial[1])
    wanted = tower([f"a photo of a {name}" for name in class_names()])[classes[held_out]]
    lines = []
    place = np.cumsum(held_out) - 1
    pair = tower(["a photo", "a drawing"])
    for name in ("clean", "large", "small"):
        one = seen[name].only(held_out)
        rows = unit_rows(projection.project(one.features.astype(np.float32), weight, bias))
        right = (rows @ wanted.T).argmax(axis=1) == place[one.photo]
        lines.append(f"{name}: {right.mean():.1%} of {len(right)} correct of {len(wanted)} classes")
        if name == "large":
            taken = (rows @ pair.T).argmax(axis=1)
            for number, domain in enumerate(trial[1]):
                at = one.domain == number
                lines.append(
                    f"  {domain}: {right[at].mean():.0%} of classes, "
                    f"{taken[at].mean():.0%} called “a drawing”, not “a photo”"
                )
    known = projection.tensors["words.rows"]
    owners = projection.tensors["words.domain"]
    cosines = unit_rows(known) @ unit_rows(known).T
    np.fill_diagonal(cosines, -1)
    own = [cosines[i][owners == owners[i]].max() for i in range(len(known))]
    away = np.array(
        [
            projection.learned_shift(
                said(tower, PLAIN + " " + words) - said(tower, PLAIN), 224
            ).nearness
            for words in UNRELATED
        ]
    )
    lines.append(
        f"words: cosine to the nearest other sentence of the domain, 10/50/90%: "
        f"{np.round(np.quantile(own, [0.1, 0.5, 0.9]), 2)}; of unrelated words: "
        f"{np.round(np.sort(away), 2)}"
    )
    return lines


def class_names() -> list[str]:
    """Return the first name of each ImageNet class."""
    from timm.data.imagenet_info import ImageNetInfo

    return [name.split(",")[0] for name in ImageNetInfo().label_descriptions()]
