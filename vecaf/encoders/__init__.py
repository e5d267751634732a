"""Pretrained encoders by name, the fast runtime, and the cache of what they embedded.

Importing this loads no framework; torch and timm load with the first model that needs them.
"""

from vecaf.encoders.embedding import ImageEncoder, embed_images, fingerprint, unit_rows
from vecaf.encoders.preprocessing import Preprocessing, choose_image_size
from vecaf.encoders.pvm import PVM, PVMS, load_pvm

__all__ = [
    "PVM",
    "PVMS",
    "ImageEncoder",
    "Preprocessing",
    "choose_image_size",
    "embed_images",
    "fingerprint",
    "load_pvm",
    "unit_rows",
]
