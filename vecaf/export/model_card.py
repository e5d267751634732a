"""The model card of a run: a Markdown description, an accuracy plot and a contact sheet."""

from __future__ import annotations

import html
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from vecaf.config import RunConfig
from vecaf.errors import InputError
from vecaf.selection.first_round import first_strategy
from vecaf.wording import percent, plural

PLOT, SHEET = "accuracy.svg", "selected.jpg"
WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 560, 260, 52, 44, 16, 20
COLUMNS, SIDE, SHOWN = 10, 72, 40


@dataclass(frozen=True)
class CardRound:
    """The cumulative cost and the accuracy of a round; see `model_card`.

    Accuracies are from 0 to 1, or None if not measured.
    """

    number: int
    labeled: int
    batches: int
    val_accuracy: float | None
    test_accuracy: float | None


def model_card(
    name: str,
    config: RunConfig,
    dataset: str,
    attribution: str | None,
    classes: Sequence[str],
    rounds: Sequence[CardRound],
    onnx: str,
    sheet: bool,
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

    Returns
    -------
    str
        Markdown.
    """
    name, dataset = html.escape(name), html.escape(dataset)
    table = "\n".join(
        f"| {r.number} | {r.labeled} | {r.batches} | {percent(r.val_accuracy)} "
        f"| {percent(r.test_accuracy)} |"
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
    return f"""# {name}

`{config.model}` finetuned on {rounds[-1].labeled} images of **{dataset}** ({config.track} track,
{config.mode}). {_origin(config)}
{words}
![Accuracy by labeled images]({PLOT})

| round | labeled images | batches | validation accuracy | test accuracy |
|---|---|---|---|---|
{table}

The exported model is that of the last round. Test accuracy is measured on the dataset's test split,
which is not used to select images or to choose the best epoch.
{selected}
Classes: {html.escape(", ".join(classes))}

## Use

Without VeCAF Studio, after `pip install onnxruntime numpy pillow`:

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
The contact sheet shows these images, so the same terms apply to it.
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
    return f"Its images were selected by `{config.strategy}`{replacement} in {rounds}."


def accuracy_plot(rounds: Sequence[CardRound]) -> bytes:
    """Draw the accuracy by labeled images as a self-contained SVG."""
    most = max((r.labeled for r in rounds), default=1) or 1
    lines: list[str] = []
    for label, color, values in (
        ("test", "#2b4fd8", [(r.labeled, r.test_accuracy) for r in rounds]),
        ("validation", "#12806f", [(r.labeled, r.val_accuracy) for r in rounds]),
    ):
        points = [(_x(n, most), _y(share)) for n, share in values if share is not None]
        if not points:
            continue
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4"/>' for x, y in points)
        dashed = ' stroke-dasharray="5 4"' if label == "validation" else ""
        lines.append(
            f'<g fill="{color}" stroke="{color}"><polyline points="{path}" fill="none" '
            f'stroke-width="2"{dashed}/>{dots}</g>'
            f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 8 - 16 * len(lines)}" fill="{color}" '
            f'text-anchor="end">{label}</text>'
        )
    ticks = "".join(
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{_y(share)}" y2="{_y(share)}" '
        f'stroke="#d3cfc5"/><text x="{LEFT - 8}" y="{_y(share) + 4}" text-anchor="end">'
        f"{share:.0%}</text>"
        for share in (0, 0.25, 0.5, 0.75, 1)
    )
    marks = "".join(
        f'<text x="{_x(r.labeled, most):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">'
        f"{r.labeled}</text>"
        for r in _labeled_rounds(rounds)
    )
    title = html.escape("Accuracy by labeled images")
    drawing = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'font-family="sans-serif" font-size="12"><title>{title}</title>'
        f'<rect width="100%" height="100%" fill="#ffffff"/>{ticks}{marks}'
        f'<text x="{LEFT}" y="{HEIGHT - 8}" fill="#6a665d">labeled images</text>'
        f"{''.join(lines)}</svg>\n"
    )
    return drawing.encode()


def _x(labeled: int, most: int) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT - 12) * labeled / most


def _y(share: float) -> float:
    return round(TOP + (HEIGHT - TOP - BOTTOM) * (1 - share), 1)


def _labeled_rounds(rounds: Sequence[CardRound]) -> list[CardRound]:
    """Choose at most eight rounds, including the last, so that axis labels don't overlap."""
    step = -(-len(rounds) // 8) or 1
    return list(rounds[::-1][::step])


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
