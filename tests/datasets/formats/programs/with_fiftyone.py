"""Write or read image classification datasets with FiftyOne. Runs in .venv-interop.

Usage: with_fiftyone.py write|tree|read FOLDER, with a JSON list of [path, label] on standard input.
FiftyOne's exporters and importers need no database.
"""

import json
import sys

import fiftyone
from fiftyone.utils import data

EXPORTERS = {
    "write": data.FiftyOneImageClassificationDatasetExporter,
    "tree": data.ImageClassificationDirectoryTreeExporter,
}


def main() -> None:
    task, folder = sys.argv[1:]
    if task == "read":
        found = []
        with data.FiftyOneImageClassificationDatasetImporter(dataset_dir=folder) as importer:
            for path, _, label in importer:
                found.append([str(path), label and label.label])
        print(json.dumps(found))
        return
    with EXPORTERS[task](export_dir=folder, export_media=True) as exporter:
        for path, label in json.load(sys.stdin):
            exporter.export_sample(path, label and fiftyone.Classification(label=label))


if __name__ == "__main__":
    main()
