"""Import datasets: archives and folders in, checked images and an import report out."""

from vecaf.datasets.demo import import_demo
from vecaf.datasets.import_report import ImportReport, Refusal
from vecaf.datasets.importing import import_dataset
from vecaf.datasets.sources import import_source

__all__ = ["ImportReport", "Refusal", "import_dataset", "import_demo", "import_source"]
