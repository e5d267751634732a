"""What words do to a photo: transforms of images, each with sentences that say it.

Plain filters with a random strength for each image. They share no code with
`vecaf.evaluation.corruptions`, so the projection is not fitted on what it is measured with.
"""

# In this order: it is that of `DOMAINS`, which the weights follow.
from tools.projection.domains import drawn, weather, camera, unusual  # noqa: I001
from tools.projection.domains.domain import DOMAINS

__all__ = ["DOMAINS", "camera", "drawn", "unusual", "weather"]
