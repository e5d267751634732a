"""A model card: the run in words, its accuracy as a drawing, its first picks as a sheet."""

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

CURVE, SHEET = "accuracy.svg", "picks.jpg"
WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 560, 260, 52, 44, 16, 20
COLUMNS, SIDE, SHOWN = 10, 72, 40


@dataclass(frozen=True)
class Reached:
    """What a round had cost and reached; accuracies are 0 to 1, None where not measured."""

    number: int
    labeled: int
    batches: int
    val_accuracy: float | None
    test_accuracy: float | None


def card(
    name: str,
    config: RunConfig,
    dataset: str,
    attribution: str | None,
    classes: Sequence[str],
    rounds: Sequence[Reached],
    onnx: str,
    sheet: bool,
) -> str:
    """The model card, in Markdown. `onnx`: what became of the ONNX file, as a sentence."""
    name, dataset = html.escape(name), html.escape(dataset)
    table = "\n".join(
        f"| {r.number} | {r.labeled} | {r.batches} | {percent(r.val_accuracy)} "
        f"| {percent(r.test_accuracy)} |"
        for r in rounds
    )
    picks = (
        f"\nThe first {SHOWN} picks at most, in rank order:\n\n![First picks]({SHEET})\n"
        if sheet
        else ""
    )
    terms = html.escape(attribution or "") or (
        "The images belong to whoever owns the dataset; the studio was not told their licence."
    )
    words = (
        f"Target words, for a domain it has no images of: `{config.target_words}`.\n"
        if config.target_words
        else ""
    )
    return f"""# {name}

`{config.model}` finetuned on {rounds[-1].labeled} images of **{dataset}** ({config.track} track,
{config.mode}). {_origin(config)}
{words}
![Accuracy by labelled images]({CURVE})

| round | labelled images | batches | validation accuracy | test accuracy |
|---|---|---|---|---|
{table}

The model of the last round is the one exported. Test accuracy is on the dataset's own test split,
which neither the selection nor the choice of the best epoch has seen.
{picks}
Classes: {html.escape(", ".join(classes))}

## Use

Without the studio, with `pip install onnxruntime numpy pillow`:

```
python predict.py image.jpg
```

{onnx}

With the studio's package, from the safetensors file:

```python
from pathlib import Path
from vecaf.export.predictor import Predictor

predictor = Predictor.load(Path("."))
print(predictor.predict(Path("image.jpg")))
```

## Repeat

`receipt.json` says what was picked, from what, with which settings and versions.
`python -m vecaf replay receipt.json` selects again and says whether the picks are the same.

```
{config.as_command()}
```

## Data and licence

{terms}
The picture of the picks, where there is one, is made of those images and under their terms.
"""


def _origin(config: RunConfig) -> str:
    """What picked the images, as a sentence."""
    given = f"It was trained on the selection `{config.subset}`"
    number = config.rounds - bool(config.subset)
    if not number:
        return f"{given}."
    rounds = plural(number, "more round" if config.subset else "round")
    if config.subset:
        return f"{given}, then on images picked by `{config.strategy}` in {rounds}."
    first = first_strategy(config)
    stand_in = f" (round 1: {first})" if first != config.strategy else ""
    return f"Its images were picked by `{config.strategy}`{stand_in} in {rounds}."


def curve(rounds: Sequence[Reached]) -> bytes:
    """Accuracy by labelled images as an SVG that needs no script, font or browser of ours."""
    most = max((r.labeled for r in rounds), default=1) or 1
    lines: list[str] = []
    for label, colour, values in (
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
            f'<g fill="{colour}" stroke="{colour}"><polyline points="{path}" fill="none" '
            f'stroke-width="2"{dashed}/>{dots}</g>'
            f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 8 - 16 * len(lines)}" fill="{colour}" '
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
        for r in _spread(rounds)
    )
    title = html.escape("Accuracy by labelled images")
    drawing = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'font-family="sans-serif" font-size="12"><title>{title}</title>'
        f'<rect width="100%" height="100%" fill="#ffffff"/>{ticks}{marks}'
        f'<text x="{LEFT}" y="{HEIGHT - 8}" fill="#6a665d">labelled images</text>'
        f"{''.join(lines)}</svg>\n"
    )
    return drawing.encode()


def _x(labeled: int, most: int) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT - 12) * labeled / most


def _y(share: float) -> float:
    return round(TOP + (HEIGHT - TOP - BOTTOM) * (1 - share), 1)


def _spread(rounds: Sequence[Reached]) -> list[Reached]:
    """At most eight of the rounds, the last included: more numbers would run into each other."""
    step = -(-len(rounds) // 8) or 1
    return list(rounds[::-1][::step])


def contact_sheet(paths: Sequence[Path]) -> bytes | None:
    """Thumbnails of image files in rows, as a JPEG; None for none that can be read."""
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
    """None for an image that the store has lost: the model can be exported without its picture."""
    from vecaf.encoders.preprocessing import decode

    try:
        image = decode(path)
    except InputError:
        return None
    image.thumbnail((SIDE, SIDE))
    return image
