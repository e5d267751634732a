"""Tasks leave out images whose files are missing or damaged, and say so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.shapes import write_shapes
from vecaf.config import RunConfig
from vecaf.datasets import import_dataset
from vecaf.datasets.pool import Samples
from vecaf.errors import InputError
from vecaf.evaluation import map_layout
from vecaf.settings import Settings
from vecaf.store import Store, dataset_named
from vecaf.tasks import TASKS, TaskContext
from vecaf.tasks.select_images import read_explanation

N = 30
LOST = [3, 8]  # the first is missing, the second is damaged
WARNING = (
    "2 images are missing or damaged, so they were left out. To restore the files, import the same "
    "images again as a new dataset: both datasets then use the new files."
)
Fresh = Callable[[], TaskContext]


@pytest.fixture
def fresh(tmp_path: Path) -> Fresh:
    """Return contexts for a dataset without embeddings that has lost two files."""
    store = Store.open(
        Settings.from_environment({"VECAF_HOME": str(tmp_path / "home"), "VECAF_DEVICE": "cpu"})
    )
    write_shapes(tmp_path / "shapes", N)
    import_dataset(store, tmp_path / "shapes", "shapes")
    with store.read() as session:
        dataset_id = dataset_named(session, store.owner(), "shapes").id

    def context() -> TaskContext:
        folder = tmp_path / f"task-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        return TaskContext(
            store, store.owner(), dataset_id, folder, lambda *given: None, lambda: False
        )

    samples = context().samples()
    samples.paths[LOST[0]].unlink()
    samples.paths[LOST[1]].write_bytes(b"no image")
    return context


def work(context: TaskContext, kind: str, **params: Any) -> dict[str, Any]:
    result = TASKS[kind](context, **params)
    assert result["left_out"] == 2 and result["warning"] == WARNING
    return result


def lost_ids(samples: Samples) -> set[int]:
    return set(samples.ids[LOST].tolist())


def test_the_embedding_of_a_new_dataset(fresh: Fresh) -> None:
    assert work(fresh(), "embed")["images"] == N - 2


def test_a_map_and_its_findings(fresh: Fresh, monkeypatch: pytest.MonkeyPatch) -> None:
    def layout(space: Any, text: Any, start: Any, **given: Any) -> tuple[Any, Any]:
        return start, start

    monkeypatch.setattr(map_layout, "layout_map", layout)
    context = fresh()
    found = work(context, "map")
    assert found["n"] == N
    arrays = {path.stem: np.load(path) for path in context.folder.glob("*.npy")}
    assert {len(array) for array in arrays.values()} == {N}
    assert not arrays["space"][LOST].any() and np.isnan(arrays["caption-match"][LOST]).all()
    others = np.delete(arrays["pca"], LOST, axis=0)
    assert np.isfinite(arrays["pca"]).all()
    assert np.allclose(arrays["pca"][LOST], others.mean(axis=0), atol=1e-5)
    work(fresh(), "findings", revision=0)


def test_a_selection(fresh: Fresh) -> None:
    context = fresh()
    config = RunConfig()
    found = work(
        context, "selection", strategy="kmeans", budget="100%", seed=0, track=config.track,
        caption_weight=0.0, revision=0,
    )  # fmt: skip
    explanation = read_explanation(context.folder)
    assert explanation is not None and len(explanation.ids) == found["pool"]
    assert not lost_ids(context.samples()) & set(explanation.ids)


def test_a_shift_preview(fresh: Fresh) -> None:
    context = fresh()
    found = work(context, "shift_preview", words="in thick fog", revision=0)
    shown = {image for one in found["classes"] for image in one["nearest"]}
    assert shown and not lost_ids(context.samples()) & shown


def test_a_dataset_without_any_file_is_an_error(fresh: Fresh) -> None:
    for path in fresh().samples().paths:
        path.unlink(missing_ok=True)
    with pytest.raises(InputError, match="All image files of this dataset are missing"):
        TASKS["embed"](fresh())
