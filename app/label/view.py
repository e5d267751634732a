"""The Label page as HTML: the list of tasks, and the frame of one (label.js fills it)."""

from __future__ import annotations

from collections.abc import Sequence

from app.shell import markup as m
from app.shell.address import link
from app.shell.next_step_view import next_step_link
from vecaf.store import EVALUATION
from vecaf.store.next_step import FINETUNE, NextStep
from vecaf.store.subsets import SubsetSummary

TITLE = (
    '<div class="title" id="main"><h1>Label</h1><p>Give the picks their classes. Number keys are '
    "quickest; a suggestion waits for you to confirm it.</p></div>"
)
USUAL_TESTS = 100  # an accuracy of 80% is then known within 8 points, 95 times in 100


def missing(sentence: str) -> str:
    return TITLE + m.empty(sentence, 'It may have been forgotten. <a href="/label">All tasks</a>.')


def listing(
    choices: Sequence[tuple[int, str]],
    dataset_id: int,
    lines: Sequence[SubsetSummary],
    tests: int,
    labeled_tests: int,
) -> str:
    """Every selection and test sample with its progress, and ways to make more."""
    head = (
        f'<div class="card-head">{TITLE}<span class="grow"></span>'
        f"{m.dataset_picker('/label', choices, dataset_id)}</div>"
    )
    select = m.text(link("/select", dataset=dataset_id))
    tasks = (
        f'<section class="card" data-key="tasks"><h2>What there is to label</h2>'
        f'<ul class="saved">{"".join(_line(line) for line in lines)}</ul></section>'
        if lines
        else m.empty(
            "Nothing to label yet",
            f'<a href="{select}">Select</a> the images that are worth a label, and sign them off.',
        )
    )
    return head + tasks + _test_form(dataset_id, tests, labeled_tests)


def task(line: SubsetSummary, classes: int, tests: int, labeled_tests: int, step: NextStep) -> str:
    """One task: its name, the place for label.js, and what follows once all images are labeled."""
    kind = "Test sample" if line.kind == EVALUATION else "Selection"
    back = m.text(link("/label", dataset=line.dataset_id))
    return (
        f'<p><a href="{back}" data-go>← All labelling tasks</a></p>'
        f'<div class="card-head"><h1 id="main">{m.text(line.name)}</h1>'
        f'<span class="muted">{kind} of {m.plural(line.images, "image")}</span></div>'
        f'<div data-key="task-{line.id}"><div class="labeller" data-own '
        f'data-key="labeller-{line.id}" data-labeller="{line.id}"><p class="muted">Loading …</p>'
        f"</div>{_after(line, classes, tests, labeled_tests, step)}</div>"
    )


def _after(
    line: SubsetSummary, classes: int, tests: int, labeled_tests: int, step: NextStep
) -> str:
    """What comes next once every image of the task has a label; nothing before.

    It stands below the images, so that it moves none of them.
    """
    if line.labeled < line.images or not line.images:
        return ""
    if line.kind == EVALUATION:
        words = "Runs from now on measure their accuracy on these images."
        if step.kind == FINETUNE and step.subset is not None:
            links = _launch(step.subset, classes)
        else:
            links = next_step_link(line.dataset_id, step)
    else:
        lack = "No test image has a label yet" if tests else "The dataset has no test images"
        words = "" if labeled_tests else f"{lack}, so accuracy can't be measured."
        sample = "" if labeled_tests else _test_button(line.dataset_id, tests)
        links = _launch(line, classes) + sample + _baseline(line)
    said = f'<p class="muted">{words}</p>' if words else ""
    return (
        '<section class="card label-done" data-key="done" role="status"><div><h2>All '
        f"{m.plural(line.images, 'image')} labeled</h2>{said}</div>"
        f'<div class="card-foot">{links}</div></section>'
    )


def _launch(line: SubsetSummary, classes: int) -> str:
    """Buttons that launch a run on a labeled selection, or open the form for it."""
    finetune = m.text(link("/finetune", dataset=line.dataset_id, subset=line.name))
    return (
        f'<button type="button" class="primary" data-act="launch" data-subset="{line.id}"'
        f"{' disabled' if classes < 2 else ''}>Launch the run</button>"
        f'<a class="button" href="{finetune}">Choose settings</a>'
    )


def _test_button(dataset_id: int, tests: int) -> str:
    """Draws the usual test sample; nothing where the dataset has no test split."""
    if not tests:
        return ""
    return (
        f'<button type="button" class="quiet" data-act="test-sample" data-dataset="{dataset_id}" '
        f'data-count="{min(USUAL_TESTS, tests)}">Label a test sample</button>'
    )


def _line(line: SubsetSummary) -> str:
    kind = "test sample" if line.kind == EVALUATION else str(line.facts.get("strategy", ""))
    open_ = m.text(link("/label", dataset=line.dataset_id, subset=line.id))
    left = line.images - line.labeled
    go = f"Label {m.number(left)}" if left else "Look again"
    finetune = m.text(link("/finetune", dataset=line.dataset_id, subset=line.name))
    ready = not left and line.images and line.kind != EVALUATION
    run = f'<a class="button" href="{finetune}">Finetune</a>' if ready else ""
    return (
        f'<li data-key="subset-{line.id}"><span class="saved-name"><b>{m.text(line.name)}</b>'
        f'<small class="muted">{m.text(kind)} · {m.when(line.created_at)}</small></span>'
        f'<span class="saved-bar"><progress value="{line.labeled}" max="{max(1, line.images)}" '
        f'aria-label="Labelled"></progress><small class="num muted">{m.number(line.labeled)} of '
        f"{m.number(line.images)} labelled</small></span>"
        f'<span class="saved-do">{_baseline(line)}{run}<a class="button'
        f'{" primary" if left else ""}" data-go href="{open_}">{go}</a></span></li>'
    )


def _baseline(line: SubsetSummary) -> str:
    """A random selection of the same size, unless this is one."""
    if line.kind == EVALUATION or line.facts.get("strategy") == "random":
        return ""
    return (
        f'<button type="button" class="quiet" data-act="baseline" data-subset="{line.id}" '
        f'title="Draws {line.images} images at random from the whole pool, to be labelled and '
        'trained on as well: only that makes the comparison with random honest">'
        "Label random picks for the baseline</button>"
    )


def _test_form(dataset_id: int, tests: int, labeled: int) -> str:
    if not tests:
        return ""
    left = tests - labeled
    said = (
        f"{m.number(labeled)} of the {m.plural(tests, 'test image')} have a label; accuracy is "
        "measured on those."
        if labeled
        else "No test image has a label yet, so accuracy can't be measured. A random sample is "
        "enough for an honest estimate; no selector ever sees it."
    )
    form = (
        f'<form class="sign-off" data-act="test-sample" data-dataset="{dataset_id}">'
        f'<label class="field"><span>Images</span><input name="count" type="number" min="1" '
        f'max="{tests}" value="{min(USUAL_TESTS, tests)}" required></label>'
        '<button type="submit">Label a random test sample</button></form>'
        if left
        else ""
    )
    return (
        f'<section class="card" data-key="tests"><h2>To measure accuracy</h2>'
        f'<p class="muted">{said}</p>{form}</section>'
    )
