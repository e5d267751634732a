"""The sentence that explains a learned shift."""

from __future__ import annotations

import numpy as np

from vecaf.augmentation.learned import choose_strength
from vecaf.encoders.projection import LearnedShift

RIGHT = np.ones(40, dtype=bool)


def shift(*names: tuple[str, float]) -> LearnedShift:
    return LearnedShift(np.zeros(4, np.float32), np.zeros((1, 4), np.float32), 0.93, names)


def test_one_domain_is_named_without_a_weight() -> None:
    strength, reason = choose_strength("a drawing", shift(("line", 1.0)), RIGHT, lambda _: RIGHT)
    assert strength == 1
    assert reason == (
        "The closest domain to “a drawing” that the vision-language model knows is “line” (cosine "
        "similarity 0.93). The shift moves image features all the way from ordinary photos to it. "
        "Validation accuracy changes by +0.0 points."
    )


def test_several_domains_have_weights_and_a_smaller_shift_its_share() -> None:
    found = shift(("line", 0.5), ("sketch", 0.3), ("cartoon", 0.2))
    strength, reason = choose_strength("a drawing", found, None, lambda _: RIGHT)
    assert strength == 0.25
    assert reason.startswith(
        "The closest domains to “a drawing” that the vision-language model knows are “line” "
        "(weight 50%), “sketch” (weight 30%) and “cartoon” (weight 20%). The highest cosine "
        "similarity is 0.93. The shift moves image features 25% of the way from ordinary photos "
        "to them. With at least 20 labeled validation images"
    )


def test_changes_have_a_minus_sign() -> None:
    after = np.arange(1000) > 3
    _, reason = choose_strength("a drawing", shift(("line", 1.0)), after | True, lambda _: after)
    assert "changes by −0.4 points" in reason
