"""The studio in a notebook: `vecaf.open(path)` returns a dataset to select from and finetune on."""

from vecaf.notebook.dataset import OpenDataset, SelectedImages
from vecaf.notebook.model import FinetunedModel
from vecaf.notebook.opening import open_dataset

__all__ = ["FinetunedModel", "OpenDataset", "SelectedImages", "open_dataset"]
