"""Pretrained encoders by name, their fast runtime, and the cache of embeddings.

Importing this package loads no framework. torch and timm are imported with the first model that
needs them.
"""

from vecaf.encoders.catalog import ModelInfo, list_models
from vecaf.encoders.embed import ImageEncoder, embed_images, fingerprint, set_facts
from vecaf.encoders.preprocessing import Preprocessing, choose_image_size
from vecaf.encoders.pvm import PVM
from vecaf.encoders.vision_models import PVMS, load_pvm
from vecaf.encoders.vlm import VLM, VLMS, load_vlm

__all__ = [
    "PVM",
    "PVMS",
    "VLM",
    "VLMS",
    "ImageEncoder",
    "ModelInfo",
    "Preprocessing",
    "choose_image_size",
    "embed_images",
    "fingerprint",
    "list_models",
    "load_pvm",
    "load_vlm",
    "set_facts",
]
