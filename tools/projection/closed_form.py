"""What `lit` fits: the projection's parts, in closed form, and scores on photos kept aside.

No image of a benchmark is looked at here: the parts are fitted on ImageNet photos under the domains
of `domains`, the scores are on one photo in five that a trial fit has not seen.
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
)  # the domain after all others
WHITENED = 0.01  # ridge of the inverse covariance of class texts, in units of its mean variance
RIDGE = 1.0  # of the map from features to texts, in units of a feature's mean scatter
SHRUNK = 1.0  # of the scatter within domains, likewise
RANK = 12  # directions of a domain's spread
MISTAKEN = 0.05  # share of photos that may be taken for drawings
STYLE = 1.5  # of a domain's place, where the content has length 1
STYLE_AXES = 8  # of the domains' places: content is kept out of them, for it would drown style
THUMBNAIL_WEIGHT = 0.5  # of a thumbnail in the ridge map: there are many
UNRELATED = (
    "in the kitchen", "made of wood", "seen from above", "with a hat", "in Paris", "on a table",
    "next to a tree", "that is very expensive",
)  # fmt: skip


@dataclass(frozen=True)
class Seen:
    """Features (n, d) of images, the photo (n,) that each was made of, and its domain (n,)."""

    features: npt.NDArray[np.float16]
    photo: Ints
    domain: Ints

    def only(self, keep: npt.NDArray[np.bool_]) -> Seen:
        """The images of the photos that `keep` names."""
        at = keep[self.photo]
        return Seen(self.features[at], self.photo[at], self.domain[at])


def fit(
    seen: Mapping[str, Seen],
    classes: Ints,
    tower: TextTower,
    class_rows: Floats,
    keep: npt.NDArray[np.bool_] | None = None,
) -> tuple[dict[str, npt.NDArray[np.floating]], tuple[str, ...]]:
    """The tensors of a `Projection` and the domains' names.

    `seen`: clean, large, small and small-domains of `lit`; `classes` (photos,) of the photos;
    `class_rows` (1000, d_t) as in `imagenet`; `keep`: which photos to fit on.
    """
    if keep is not None:
        seen = {name: one.only(keep) for name, one in seen.items()}
    clean = seen["clean"].features.astype(np.float32)
    large, thumbs = seen["large"], seen["small"]
    names = tuple(DOMAINS)
    # Every fourth thumbnail is enough for moments.
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
    ridge, centre = ridge_map(every, content[classes[photo]] / length, importance)

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
        "ridge.mean": centre,
        "words.rows": words,
        "words.domain": owners.astype(np.float32),
        **moves_of("large", large, large),
        **moves_of("small", thumbs, seen["small-domains"]),
    }
    exact = {"style.weight", "style.bias", "clean.mean", "domain.mean", "ridge.mean"}
    kinds = {name: np.float32 if name in exact else np.float16 for name in tensors}
    return {name: np.ascontiguousarray(t, kinds[name]) for name, t in tensors.items()}, names


def moments(rows: Floats, domain: Ints, count: int) -> tuple[Floats, Floats]:
    """Mean and standard deviation (count, d) of each domain's channels."""
    groups = [rows[domain == number] for number in range(count)]
    mean = np.stack([group.mean(axis=0) for group in groups])
    return mean, np.stack([group.std(axis=0) for group in groups])


def discriminant(rows: Floats, domain: Ints, mean: Floats) -> tuple[Floats, Floats]:
    """Linear discriminant analysis: scores = rows @ weight (d, k) + bias (k,), priors equal."""
    within = rows - mean[domain]
    scatter = within.T @ within / len(within)
    size = np.trace(scatter) / len(scatter)
    scatter += SHRUNK * size * np.eye(len(scatter), dtype=np.float32)
    weight = np.linalg.solve(scatter, mean.T)
    return weight, -0.5 * (mean.T * weight).sum(axis=0)


def whitened(class_rows: Floats) -> Floats:
    """Class texts (c, d_t) so that a product with a text counts what tells classes apart.

    What most classes share takes up much of their cosines; times the inverse covariance it does
    not. It is the image's side that is multiplied, so that texts stay as they are.
    """
    centred = class_rows - class_rows.mean(axis=0)
    covariance = centred.T @ centred / len(centred)
    width = len(covariance)
    scaled = covariance * (width / np.trace(covariance))
    inverse = np.linalg.inv(scaled + WHITENED * width * np.eye(width, dtype=np.float32))
    return np.asarray(centred @ (inverse / np.abs(inverse).max()), np.float32)


def ridge_map(rows: Floats, targets: Floats, importance: Floats) -> tuple[Floats, Floats]:
    """Weight (d, d_t) and centre (d,): targets − their mean ≈ (rows − centre) @ weight."""
    centre = rows.mean(axis=0)
    centred = rows - centre
    weighted = centred * importance[:, None]
    scatter = weighted.T @ centred
    scatter += RIDGE * np.trace(scatter) / len(scatter) * np.eye(len(scatter), dtype=np.float32)
    return np.linalg.solve(scatter, weighted.T @ (targets - targets.mean(axis=0))), centre


def texts(tower: TextTower) -> tuple[Floats, Floats, Ints]:
    """Each domain's place (k + 1, d_t) in text space, about their mean; the differences (m, d_t)
    that its sentences make to a photo's, and whose they are (m,)."""
    sentences = [(number, s) for number, d in enumerate(DOMAINS.values()) for s in d.sentences]
    sentences += [(len(DOMAINS), sentence) for sentence in THUMBNAILS]
    means = np.stack([said(tower, sentence) for _, sentence in sentences])
    owners = np.array([number for number, _ in sentences])
    places = np.stack([means[owners == number].mean(axis=0) for number in range(len(DOMAINS) + 1)])
    moving = (owners > 0) & (owners < len(DOMAINS))
    return places - places.mean(axis=0), (means - said(tower, PLAIN))[moving], owners[moving]


def said(tower: TextTower, sentence: str) -> Floats:
    """A sentence's mean embedding (d_t,) over some nouns."""
    return np.asarray(tower([sentence.format(noun) for noun in NOUNS]).mean(axis=0), np.float32)


def is_photographic(name: str) -> bool:
    """Whether a domain's images are photos still: words like "a drawing" don't fit them."""
    module = DOMAINS[name].transform.__module__
    return module not in (drawn.__name__, unusual.__name__) or name in ("underwater", "sunset")


def leaning(scores: Floats, photographic: npt.NDArray[np.bool_]) -> float:
    """What to add to drawn domains' scores so that MISTAKEN of the photos are taken for drawings.

    scores (n, k + 1) are of photos. The drawings that filters make lie farther from photos than
    real ones do: halfway between is too far.
    """
    gap = scores[:, photographic].max(axis=1) - scores[:, ~photographic].max(axis=1)
    return float(np.quantile(gap, MISTAKEN))


def moves_of(size: str, photos: Seen, transformed: Seen) -> dict[str, Floats]:
    """Mean (k, d) and spread (k, RANK, d) of each domain's moves, in centred lengths of rows."""
    of_photos = unit_rows(photos.features[photos.domain == 0].astype(np.float32))
    owners = photos.photo[photos.domain == 0]
    centre = of_photos.mean(axis=0)
    length = float(np.linalg.norm(of_photos - centre, axis=1).mean())
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
        mean[number] = (rows.mean(axis=0) - centre) / length
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
    """Sentences on how a trial fit does on the photos `held_out`."""
    projection = Projection({k: t.astype(np.float32) for k, t in trial[0].items()}, trial[1])
    wanted = tower([f"a photo of a {name}" for name in class_names()])[classes[held_out]]
    lines = []
    place = np.cumsum(held_out) - 1
    pair = tower(["a photo", "a drawing"])
    for name in ("clean", "large", "small"):
        one = seen[name].only(held_out)
        rows = unit_rows(projection.project(one.features.astype(np.float32), weight, bias))
        right = (rows @ wanted.T).argmax(axis=1) == place[one.photo]
        lines.append(f"{name}: {right.mean():.1%} of {len(right)} told among {len(wanted)} classes")
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
    """The first name of each ImageNet class."""
    from timm.data.imagenet_info import ImageNetInfo

    return [name.split(",")[0] for name in ImageNetInfo().label_descriptions()]
