"""The dataset card of a Hugging Face dataset: README.md with YAML in front.

Reference: https://huggingface.co/docs/hub/datasets-cards
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from vecaf.datasets.export_images import SPLITS, Export
from vecaf.wording import plural

_HUB_SPLITS = {"train": "train", "val": "validation", "test": "test"}


def hub_split(split: str) -> str:
    """Return the name that Hugging Face gives a split."""
    return _HUB_SPLITS[split]


def dataset_card(export: Export, files: Mapping[str, str]) -> bytes:
    """Return a README.md.

    Parameters
    ----------
    files
        The pattern of the files of each split.
    """
    name = json.dumps(export.name, ensure_ascii=False)  # a JSON string is a YAML string
    lines = ["---", f"pretty_name: {name}", "task_categories:", "- image-classification"]
    if files:
        lines += ["configs:", "- config_name: default", "  data_files:"]
        for split, pattern in files.items():
            lines += [f"  - split: {hub_split(split)}", f"    path: {json.dumps(pattern)}"]
    lines += ["---", "", f"# {_escaped(export.name)}", ""]
    counts = {split: len(export.of_split(split)) for split in SPLITS}
    total = plural(len(export.images), "image")
    lines += [f"{total} in {plural(len(export.classes), 'class', 'classes')}.", ""]
    lines += ["| split | images |", "|---|---|"]
    lines += [f"| {split} | {count:,} |" for split, count in counts.items() if count]
    if export.classes:
        lines += ["", "Classes: " + ", ".join(map(_escaped, export.classes)) + "."]
    if export.attribution:
        lines += ["", f"Source: {_escaped(export.attribution)}"]
    lines += ["", "Exported from VeCAF Studio. Add the license before you share the dataset.", ""]
    return "\n".join(lines).encode()


def _escaped(text: str) -> str:
    """Return text without characters that Markdown or HTML interprets."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;")
    return "".join(f"\\{one}" if one in "\\`*_[]#|" else one for one in escaped)
