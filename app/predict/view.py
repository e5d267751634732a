"""The Predict page's HTML, from plain records."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from app.shell import markup as m
from app.shell.address import link
from app.shell.media import image_url, thumb_url
from vecaf.store import Sample
from vecaf.store.runs import RunSummary

TITLE = (
    '<div class="title"><h1>Predict</h1><p>Ask a finished model about an image, see which of its '
    "training images say so, and take the model with you.</p></div>"
)
FILES = {
    "model.safetensors": "Weights, for PyTorch",
    "model.onnx": "Weights, for ONNX Runtime; checked against PyTorch",
    "predict.py": "Predicts with the ONNX file, without the studio",
    "config.json": "How the model wants its images",
    "labels.json": "Class names",
    "README.md": "Model card",
    "accuracy.svg": "Accuracy by labelled images, for the card",
    "picks.jpg": "The first picks, for the card",
    "selection.csv": "What was picked and why, as a table",
    "selection.json": "What was picked and why",
    "receipt.json": "Repeats the selection: python -m vecaf replay receipt.json",
}
ABOUT_PULLS = (
    "A linear last layer is, to a good approximation, a sum over its training images: each pulls "
    "the answer by how much training still pushed on it, times how alike the model finds the two "
    "images (representer points, Yeh et al. 2018). Shares are of all that pulls toward the answer."
)


def no_run() -> str:
    """What to do where nothing has finished yet."""
    hint = (
        'A run\'s model can be asked once the run is finished. <a href="/finetune">Launch one</a> '
    )
    return TITLE + m.empty("No finished run yet", f'{hint}or <a href="/runs">see the runs</a>.')


def missing(sentence: str) -> str:
    return TITLE + m.empty(sentence, '<a href="/predict" data-go>Choose another run</a>.')


def page(
    runs: Sequence[RunSummary],
    chosen: RunSummary,
    tries: Sequence[Sample],
    image: Sample | None,
    downloads: str,
    host: str,
) -> str:
    """Render the whole page for one run; predict.js fills the answer in.

    `downloads` is what `download` renders, `host` the studio's own.
    """
    taking = _take(chosen, downloads, host)
    return f"{TITLE}{_picker(runs, chosen)}{_ask(chosen.id, tries, image)}{taking}"


def _picker(runs: Sequence[RunSummary], chosen: RunSummary) -> str:
    options = "".join(
        f'<option value="{m.text(link("/predict", run=run.id))}"'
        f"{' selected' if run.id == chosen.id else ''}>{m.text(_name(run))}</option>"
        for run in runs
    )
    return (
        '<div class="card-head"><label class="dataset-picker"><span>Run</span>'
        f'<select data-jump>{options}</select></label><span class="grow"></span>'
        f'<a class="button quiet" href="{m.text(link("/runs", run=chosen.id))}">See the run</a>'
        "</div>"
    )


def _name(run: RunSummary) -> str:
    reached = "" if run.test_accuracy is None else f", {m.percent(run.test_accuracy)}"
    return f"{run.id}: {run.name}{reached}"


def _ask(run_id: int, tries: Sequence[Sample], image: Sample | None) -> str:
    shown = (
        ""
        if image is None
        else f' data-image="{image.id}" data-src="{m.text(image_url(image.id, image.sha256))}"'
    )
    wall = "".join(
        f'<a class="try" data-go data-stay data-key="try-{s.id}" '
        f'href="{m.text(link("/predict", run=run_id, image=s.id))}" '
        f"{'aria-current=true ' if image is not None and s.id == image.id else ''}"
        f'aria-label="Try test image {m.text(s.file_name)}">'
        f'<img src="{thumb_url(s.id, s.sha256)}" alt="" loading="lazy" decoding="async"></a>'
        for s in tries
    )
    offer = (
        f'<div><h3>Or try a test image</h3><div class="wall tries">{wall}</div></div>'
        if tries
        else ""
    )
    return (
        f'<section class="card predict" data-key="ask-{run_id}" data-predict="{run_id}"{shown}>'
        '<label class="drop-target" data-drop><input type="file" '
        'accept="image/jpeg,image/png,image/webp,image/gif,image/bmp" '
        'aria-label="An image to predict"><b>Drop an image here, or <u>choose one</u></b>'
        "<small>JPEG, PNG, WebP, GIF or BMP. It stays on this machine and is not kept.</small>"
        f'</label>{offer}<div class="predicted" data-own data-answer data-key="answer-{run_id}" '
        'aria-live="polite"></div></section>'
    )


def result(answer: Mapping[str, Any], samples: Mapping[int, Sample], classes: Sequence[str]) -> str:
    """The answer to one image: classes, the nearest training images, what the answer rests on."""
    best = answer["classes"][0]
    rows = "".join(
        f"<li><span>{m.text(entry['name'])}</span>"
        f'<i style="width:{100 * entry["share"]:.1f}%"></i>'
        f'<b class="num">{m.percent(entry["share"])}</b></li>'
        for entry in answer["classes"]
        if entry is best or entry["share"] >= 0.0005
    )
    note = (
        m.notice("The model was trained on this very image.", "warn")
        if answer["trained_on_it"]
        else ""
    )
    nearest = _wall(answer["nearest"], "similarity", samples, classes, lambda v: f"{v:.2f}")
    toward, against = (
        _wall(answer[name], "share", samples, classes, m.percent) for name in ("toward", "against")
    )
    name = m.text(best["name"])
    against_piece = (
        f'<div data-key="against"><h3>Picks that pull away from “{name}”</h3>{against}</div>'
        if against
        else ""
    )
    return (
        f'<p class="said">{m.percent(best["share"])} <b>{name}</b></p>{note}'
        f'<ol class="bars" aria-label="Most probable classes">{rows}</ol>'
        f"<div><h3>Picks most responsible for “{name}”</h3>{toward}"
        f'<details><summary class="muted">What these shares mean</summary>'
        f'<p class="muted">{ABOUT_PULLS}</p></details></div>{against_piece}'
        f"<div><h3>Nearest training images</h3>{nearest}"
        f'<p class="muted">Of the {m.number(answer["training"])} that it was trained on, '
        "by cosine in its own feature space.</p></div>"
    )


def _wall(
    entries: Sequence[Mapping[str, Any]],
    value: str,
    samples: Mapping[int, Sample],
    classes: Sequence[str],
    words: Callable[[float], str],
) -> str:
    pieces = []
    for entry in entries:
        sample = samples.get(entry["id"])
        if sample is None:
            continue
        label = "no label" if sample.label is None else classes[sample.label]
        said = words(entry[value])
        pieces.append(
            m.thumb(
                sample.id,
                sample.sha256,
                [label, said],
                f'<span>{m.text(label)}<b class="num">{m.text(said)}</b></span>',
            )
        )
    return f'<div class="wall evidence">{"".join(pieces)}</div>' if pieces else ""


def download(run_id: int, export: Mapping[str, Any], files: Sequence[Mapping[str, Any]]) -> str:
    """Render the export's files as links; before they exist, the button that prepares them."""
    base = f"/download/run/{run_id}"
    if not files:
        under_way = " data-under-way" if export["state"] in ("queued", "running") else ""
        return (
            f'<button type="button" class="primary" data-prepare="{run_id}"{under_way}>'
            'Prepare download</button><p class="muted">The first time, the studio writes the files '
            "and checks the ONNX model against PyTorch. You can leave the page meanwhile.</p>"
        )
    rows = "".join(
        f'<li><a href="{base}/files/{m.text(file["name"])}" download>{m.text(file["name"])}</a>'
        f'<span class="muted">{m.text(FILES.get(file["name"], ""))}</span></li>'
        for file in sorted(files, key=lambda file: [*FILES, file["name"]].index(file["name"]))
    )
    return (
        f'<a class="button primary" href="{base}/model" download>Download everything</a>'
        f'<details><summary>The files, one by one</summary><ul class="files">{rows}</ul></details>'
    )


def _take(run: RunSummary, downloads: str, host: str) -> str:
    return (
        f'<section class="card take" id="download" data-key="take-{run.id}">'
        f'<h2>Download the model</h2><div class="downloads" data-downloads>{downloads}</div>'
        '<div data-own data-preparing role="status"></div>'
        "<div><h3>Use it without the studio</h3>"
        f"{m.command('pip install onnxruntime numpy pillow')}"
        f"{m.command('python predict.py image.jpg')}</div>"
        "<div><h3>Ask the studio from a program</h3>"
        f"{m.command(f'curl --data-binary @image.jpg http://{host}/api/v1/runs/{run.id}/predict')}"
        "</div></section>"
    )
