"""What words do to a photo: transforms of images, each with sentences that say it.

Made of plain filters, with strengths drawn anew for each image, and written apart from
`vecaf.evaluation.corruptions`: what is measured with those was not trained on them. The projection
of the embedded VLM is fitted on photos under these domains (`vecaf.encoders.lit`).
"""

# In this order: it is that of `DOMAINS`, which the weights follow.
from vecaf.encoders.domains import drawn, weather, camera, unusual  # noqa: I001
from vecaf.encoders.domains.registry import DOMAINS

__all__ = ["DOMAINS", "camera", "drawn", "unusual", "weather"]
