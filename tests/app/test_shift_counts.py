"""What the Shift page says about counted images, and what its card of images asks for."""

from __future__ import annotations

from app.shell.templates import macros
from app.shift import pairs as shift_pairs
from app.shift import view as shift_view
from tests.app.test_shift import RESULT, a_pair, a_task, compared


def test_a_preview_says_which_images_have_no_label() -> None:
    guessed = "An image without a label counts toward the class whose name is closest"
    earlier = shift_view.preview("in fog", a_task(), {})
    assert "3 images in the pool</small>" in earlier and guessed not in earlier
    few = {"name": "cat", "images": 3, "labeled": 1, "nearest": [5]}
    partly = shift_view.preview("in fog", a_task(result={**RESULT, "classes": [few]}), {})
    assert "3 images in the pool, 2 without a label</small>" in partly and guessed in partly


def test_a_result_counts_the_images_of_each_dataset() -> None:
    found = compared(0.01, 0.09)
    found["other"] |= {"name": "sketches", "images": 90}
    task = a_task(kind="shift_result", result=found)
    text = shift_pairs.result(a_pair(), task, "fog", [], 0)
    assert "40 test images of this dataset, 90 labeled images of “sketches”. The" in text
    task = a_task(kind="shift_result", result={**found, "other": None})
    assert "40 test images of this dataset. The" in shift_pairs.result(a_pair(), task, "fog", [], 0)


def test_images_of_a_domain_are_uploaded_or_chosen_before_a_launch() -> None:
    form = macros("shift", "images.html").form
    launch = "then launch two runs: a baseline, and a run that adapts to the images."
    assert f"Upload a folder, {launch}" in form(1, [], [], None)
    assert f"Upload a folder or choose a dataset, {launch}" in form(1, [(2, "posters")], [], None)
    based = form(1, [(2, "posters")], [], a_pair().plain)
    assert "then launch a run that adapts to the images. The studio adds a baseline" in based
