"""Sentences about a target domain, and the direction that they give in text space."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from vecaf.arrays import Floats

EmbedTexts = Callable[[list[str]], Floats]
"""m sentences → unit rows (m, e)."""

TEMPLATES = ("a photo of a {}", "{}", "an image of a {}", "a picture of a {}")


def sentences(words: str, name: str) -> list[tuple[str, str]]:
    """Return pairs of sentences about a class, without and with the target words.

    Parameters
    ----------
    words
        Target words. Words that end in "of" (or "of a", "of an", "of the") go before the class
        name: "a line drawing of". Other words go after it: "in thick fog". "{}" marks the place of
        the class name: "a {} seen from above".
    name
        Class name.

    Returns
    -------
    list of (plain, shifted)
        One pair per template.
    """
    name, words = name.replace("_", " ").lower(), " ".join(words.split())
    before = words.lower().endswith((" of", " of a", " of an", " of the")) or words.lower() == "of"
    pairs = []
    for template in TEMPLATES:
        plain = template.format(name)
        if "{}" in words:
            shifted = words.replace("{}", name)
        else:
            shifted = f"{words} {name}" if before else f"{plain} {words}"
        pairs.append((plain, shifted))
    return pairs


def text_directions(words: str, classes: Sequence[str], embed_texts: EmbedTexts) -> Floats:
    """Compute Δ_c of every class: the mean over templates of shifted − plain.

    The gap between text and image embeddings cancels in differences of texts.

    Returns
    -------
    array of shape (classes, e)
    """
    pairs = [pair for name in classes for pair in sentences(words, name)]
    plain = embed_texts([pair[0] for pair in pairs])
    shifted = embed_texts([pair[1] for pair in pairs])
    difference = (shifted - plain).reshape(len(classes), len(TEMPLATES), -1)
    return np.asarray(difference.mean(axis=1), dtype=np.float32)
