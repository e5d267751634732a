"""The caption of each image: the user's, or a sentence made from a class name."""

from __future__ import annotations

from collections.abc import Sequence

from vecaf.arrays import Floats, Labels

TEMPLATE = "a photo of a {}"


def class_caption(class_name: str) -> str:
    """Return the caption of a class: 'golden_retriever' → 'a photo of a golden retriever'."""
    return TEMPLATE.format(class_name.replace("_", " "))


def captions_for(
    own: Sequence[str | None],
    labels: Labels,
    tags: Labels,
    classes: Sequence[str],
) -> list[str]:
    """Return one caption per image: the user's, else its label's, else its tag's.

    Parameters
    ----------
    own
        The users' captions, n entries, None where there is none.
    labels
        Class indices, shape (n,); −1 for hidden labels.
    tags
        Predicted class indices, shape (n,); see `nearest_tags`.
    classes
        Class names.
    """
    sentences = [class_caption(name) for name in classes]
    return [
        sentence or sentences[label if label >= 0 else tag]
        for sentence, label, tag in zip(own, labels, tags, strict=True)
    ]


def nearest_tags(images: Floats, vocabulary: Floats) -> Labels:
    """Return the most similar text for each image.

    Parameters
    ----------
    images
        Unit rows, shape (n, e).
    vocabulary
        Unit rows of texts, shape (k, e).

    Returns
    -------
    array of shape (n,)
        Rows of `vocabulary`.
    """
    nearest: Labels = (images @ vocabulary.T).argmax(axis=1)
    return nearest
