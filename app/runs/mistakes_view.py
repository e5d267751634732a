"""What a run's model gets wrong, as HTML: the confusion matrix, its cells' images, the mistakes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.shell import markup as m
from app.shell.address import link
from vecaf.store import Round, Sample

BIGGEST_MATRIX = 40  # classes; a larger one is listed by its worst confusions alone
Cell = tuple[int, int]  # (true class, predicted class)


@dataclass(frozen=True)
class Guess:
    """A test image and its predicted class; confidence is 0 to 1, loss in nats."""

    sample: Sample
    true: int
    predicted: int
    confidence: float
    loss: float


def read_cell(text: str, classes: int) -> Cell | None:
    """'2-5' of an address as a cell of a matrix of so many classes, else None."""
    parts = text.split("-")
    if len(parts) != 2 or not all(part.isascii() and part.isdigit() for part in parts):
        return None
    true, guess = (int(part[:9]) for part in parts)
    return (true, guess) if true < classes and guess < classes else None


def confusion(
    rounds: Sequence[Round],
    classes: Sequence[str],
    cell: Cell | None = None,
    images: Sequence[Guess] | None = None,
) -> str:
    """The last round's test confusions: a matrix where it can be read, the worst ones in words.

    `cell` is the one whose `images` are shown below, or None where none are kept.
    """
    if not rounds or not rounds[-1].confusion.get("test"):
        return ""
    last = rounds[-1]
    matrix: list[list[int]] = last.confusion["test"]
    if not any(map(any, matrix)):  # no labeled test image
        return ""
    worst = sorted(
        (
            (count, true, guess)
            for true, row in enumerate(matrix)
            for guess, count in enumerate(row)
            if true != guess and count
        ),
        reverse=True,
    )[:5]
    lines = "".join(
        f'<li><b class="num">{m.number(count)}</b> <a href="{_address(last, (true, guess))}" '
        f"data-go data-stay>{m.text(classes[true])} taken for {m.text(classes[guess])}</a></li>"
        for count, true, guess in worst
    )
    words = f'<ul class="worst">{lines}</ul>' if lines else "<p>No mistakes.</p>"
    return (
        '<section class="card" data-key="confusion"><h3>Confusions on the test set, round '
        f'{last.number}</h3><div class="confusion">{_matrix(last, matrix, classes, cell)}'
        f"<div><p class=muted>Most frequent mistakes</p>{words}</div></div>"
        f"{_images(last, classes, cell, images)}</section>"
    )


def _matrix(
    last: Round, matrix: Sequence[Sequence[int]], classes: Sequence[str], chosen: Cell | None
) -> str:
    if len(classes) > BIGGEST_MATRIX:
        return ""
    head = "".join(f'<th scope="col"><span>{m.text(name)}</span></th>' for name in classes)
    rows = []
    for true, row in enumerate(matrix):
        total = sum(row) or 1
        cells = "".join(
            f'<td style="--share:{count / total:.3f}" class="{"hit" if true == guess else "miss"}"'
            f"{' data-chosen' if (true, guess) == chosen else ''}>"
            f"{_count(last, (true, guess), count, classes)}</td>"
            for guess, count in enumerate(row)
        )
        rows.append(f'<tr><th scope="row">{m.text(classes[true])}</th>{cells}</tr>')
    return (
        '<div class="matrix-side"><div class="matrix-frame" tabindex="0" role="region" '
        'aria-label="Confusion matrix"><table class="matrix"><thead><tr><td></td>'
        f"{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
        '<p class="muted">Rows: true class. Columns: predicted class. Select a number to see its '
        "images.</p></div>"
    )


def _count(last: Round, cell: Cell, count: int, classes: Sequence[str]) -> str:
    if not count:
        return ""
    words = f"{classes[cell[0]]} taken for {classes[cell[1]]}: {count}"
    return (
        f'<a href="{_address(last, cell)}" data-go data-stay title="{m.text(words)}" '
        f'aria-label="{m.text(words)}">{count}</a>'
    )


def _address(last: Round, cell: Cell) -> str:
    return m.text(link("/runs", run=last.run_id, cell=f"{cell[0]}-{cell[1]}"))


def _images(
    last: Round, classes: Sequence[str], cell: Cell | None, images: Sequence[Guess] | None
) -> str:
    if cell is None:
        return ""
    whole = m.text(link("/runs", run=last.run_id))
    back = f'<a class="button quiet" href="{whole}" data-go data-stay>Hide</a>'
    true, guess = (m.text(classes[index]) for index in cell)
    name = f"{true} taken for {guess}" if cell[0] != cell[1] else f"{true}, classified correctly"
    if images is None:
        wall = m.notice("This run kept no predictions, so its images can't be shown.", "quiet")
    else:
        wall = _wall(images, classes) if images else "<p class=muted>No image any more.</p>"
    return (
        f'<div class="mistakes" id="cell"><div class="card-head"><h3>{name}</h3>{back}</div>'
        f"{wall}</div>"
    )


def mistakes(worst: Sequence[Guess], surest: Sequence[Guess], classes: Sequence[str]) -> str:
    """The mistakes with the highest loss, and those with the highest confidence."""
    if not worst:
        return ""
    return (
        '<section class="card" data-key="mistakes"><h3>Mistakes</h3><div class="mistakes">'
        '<p class="muted">Highest loss: the lowest probability for the true class</p>'
        f"{_wall(worst, classes)}"
        '<p class="muted">Most confident: the highest probability for a wrong class</p>'
        f"{_wall(surest, classes)}</div></section>"
    )


def _wall(images: Sequence[Guess], classes: Sequence[str]) -> str:
    return f'<div class="wall">{"".join(_guess(image, classes) for image in images)}</div>'


def _guess(image: Guess, classes: Sequence[str]) -> str:
    true, taken = (classes[index] for index in (image.true, image.predicted))
    words = [
        f"{true} taken for {taken}" if true != taken else true,
        image.sample.caption or image.sample.file_name,
        f"confidence: {image.confidence:.3g}",
        f"loss: {image.loss:.3g}",
    ]
    said = m.percent(image.confidence)
    small = f"{m.text(true)} → {m.text(taken)}" if true != taken else m.text(true)
    return (
        f'<div class="mistake" data-key="g{image.sample.id}">'
        f"{m.thumb(image.sample.id, image.sample.sha256, words)}"
        f'<small>{small} <span class="num">{said}</span></small></div>'
    )
