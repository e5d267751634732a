"""How many random examples a property test tries: all of them in `./test --soak`, else a third."""

from __future__ import annotations

import os

from hypothesis import settings

THOROUGH = "VECAF_TEST_THOROUGH" in os.environ


def examples(count: int) -> settings:
    """Return Hypothesis's settings for a test that tries `count` examples in `./test --soak`."""
    return settings(max_examples=count if THOROUGH else max(5, count // 3), deadline=None)
