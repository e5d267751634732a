"""Domains: transforms of photos, and sentences that describe them.

They are simple filters with a random strength for each image. They share no code with
`vecaf.evaluation.corruptions`, which measures the result.
"""

# In this order: it is that of `DOMAINS`, which the weights follow.
from tools.projection.domains import drawn, weather, camera, unusual  # noqa: I001
from tools.projection.domains.domain import DOMAINS

__all__ = ["DOMAINS", "camera", "drawn", "unusual", "weather"]
