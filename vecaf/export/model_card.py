"""The model card of a run: a Markdown description and a contact sheet."""

from __future__ import annotations

import html
import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from vecaf.config import RunConfig
from vecaf.errors import InputError
from vecaf.evaluation.metrics import describe_metrics
from vecaf.export.accuracy_plot import PLOT
from vecaf.selection.first_round import first_strategy
from vecaf.store import TEST, VAL
from vecaf.store.records import RoundResult
from vecaf.wording import plural

SHEET = "selected.jpg"
COLUMNS, SIDE, SHOWN = 10, 72, 40
SPLITS = {VAL: "validation", TEST: "test"}


def model_card(
    name: str,
    config: RunConfig,
    dataset: str,
    attribution: str | None,
    classes: Sequence[str],
    rounds: Sequence[RoundResult],
    onnx: str,
    sheet: bool,
    adaptation: str = "",
) -> str:
    """Write the model card.

    Parameters
    ----------
    name
        The run's name.
    config
    dataset
        The dataset's name.
    attribution
        The dataset's license and attribution, if known.
    classes
    rounds
    onnx
        Sentences about the ONNX file: how to use it, or why there is none.
    sheet
        Whether there is a contact sheet of selected images.
    adaptation
        Sentences about the adaptation to images of a target domain; empty without one.

    Returns
    -------
    str
        Markdown.
    """
    name, dataset = html.escape(name), html.escape(dataset)
    columns = [(split, info) for info in describe_metrics() for split in (VAL, TEST)]
    heads = " | ".join(f"{SPLITS[split]} {info.label}" for split, info in columns)
    table = "\n".join(
        f"| {r.number} | {r.labeled} | {r.batches} | "
        + " | ".join(info.text(r.metrics[split].get(info.name)) for split, info in columns)
        + " |"
        for r in rounds
    )
    selected = (
        f"\nUp to {SHOWN} selected images, in rank order:\n\n![Selected images]({SHEET})\n"
        if sheet
        else ""
    )
    terms = html.escape(attribution or "") or (
        "The license of the images is not known. Ask the owner of the dataset."
    )
    words = f"Target domain: `{config.target_words}`.\n" if config.target_words else ""
    words += f"{adaptation}\n" if adaptation else ""
    return f"""# {name}

`{config.model}` finetuned on {rounds[-1].labeled} images of **{dataset}** ({config.track} track,
{config.mode}). {_origin(config)}
{words}
![Accuracy by labeled images]({PLOT})

| round | labeled images | batches | {heads} |
|---|---|---|{"---|" * len(columns)}
{table}

The exported model is that of the last round. Test metrics are measured on the dataset's test split,
which is not used to select images or to choose the best epoch.
{selected}
Classes: {html.escape(", ".join(classes))}

## Use

If this export has `model.onnx`, you can predict without VeCAF Studio. Run `pip install onnxruntime
numpy pillow`, then:

```
python predict.py image.jpg
```

{onnx}

With VeCAF Studio, from the safetensors file:

```python
from pathlib import Path
from vecaf.export.predictor import Predictor

predictor = Predictor.load(Path("."))
print(predictor.predict(Path("image.jpg")))
```

## Repeat

`receipt.json` records the selected images, the dataset, the settings and the package versions.
`python -m vecaf replay receipt.json` repeats the selection and reports whether it matches. This
command starts a new run with the same settings:

```
{config.as_command()}
```

## Data and license

{terms}
If the export has a contact sheet, it shows images of this dataset under the same terms.
"""


def _origin(config: RunConfig) -> str:
    """Describe in a sentence how the training images were selected."""
    start = f"It was trained on the selection `{config.subset}`"
    number = config.rounds - bool(config.subset)
    if not number:
        return f"{start}."
    rounds = plural(number, "more round" if config.subset else "round")
    if config.subset:
        return f"{start}, then on images selected by `{config.strategy}` in {rounds}."
    first = first_strategy(config)
    replacement = f" (round 1: {first})" if first != config.strategy else ""
    return f"The training images were selected by `{config.strategy}`{replacement} in {rounds}."


def contact_sheet(paths: Sequence[Path]) -> bytes | None:
    """Arrange thumbnails of the first SHOWN image files in rows.

    Files that can't be read are left out.

    Returns
    -------
    bytes or None
        A JPEG file. None if no file can be read.
    """
    thumbs = [thumb for path in paths[:SHOWN] if (thumb := _thumb(path)) is not None]
    if not thumbs:
        return None
    rows = -(-len(thumbs) // COLUMNS)
    width = min(COLUMNS, len(thumbs))
    sheet = Image.new("RGB", (width * (SIDE + 4) + 4, rows * (SIDE + 4) + 4), "white")
    for place, image in enumerate(thumbs):
        left = 4 + (place % COLUMNS) * (SIDE + 4) + (SIDE - image.width) // 2
        top = 4 + (place // COLUMNS) * (SIDE + 4) + (SIDE - image.height) // 2
        sheet.paste(image, (left, top))
    buffer = io.BytesIO()
    sheet.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def _thumb(path: Path) -> Image.Image | None:
    """Return a thumbnail, or None if the file is missing or damaged."""
    from vecaf.encoders.preprocessing import decode

    try:
        image = decode(path)
    except InputError:
        return None
    image.thumbnail((SIDE, SIDE))
    return image
