"""`vecaf.open`: a dataset in a notebook, from a folder to a model."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

import vecaf
from tests.datasets.formats.test_interop import PYTHON
from tests.shapes import write_shapes
from vecaf.errors import NotFoundError
from vecaf.notebook import OpenDataset


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> OpenDataset:
    folder = tmp_path_factory.mktemp("notebook")
    write_shapes(folder / "shapes", 60)
    patch = pytest.MonkeyPatch()
    patch.setenv("VECAF_DEVICE", "cpu")
    found = vecaf.open(folder / "shapes", home=folder / "home")
    patch.undo()
    return found


def test_a_path_is_imported_once(dataset: OpenDataset) -> None:
    home = dataset.store.settings.home
    assert vecaf.open(home.parent / "shapes", home=home).id == dataset.id
    assert vecaf.open("shapes", home=home).id == dataset.id
    with pytest.raises(NotFoundError, match="Your datasets: shapes"):
        vecaf.open("squares", home=home)
    assert repr(dataset) == "<dataset 'shapes': 60 images, 60 labeled, 3 classes>"


def test_images_are_embedded_selected_and_shown(dataset: OpenDataset) -> None:
    features = dataset.embed()
    assert features.shape == (60, 1280) and np.isfinite(features).all()
    selected = dataset.select(6, strategy="typiclust", seed=3)
    frame = selected.to_pandas()
    assert frame["id"].tolist() == selected.ids.tolist() and set(frame["split"]) == {"train"}
    assert set(selected.scores) <= set(frame.columns)
    assert len(dataset.to_pandas()) == 60

    html = selected.show(images=4)._repr_html_()
    assert (html.count("<circle"), html.count("<img"), html.count('r="5"')) == (60, 4, 6)
    assert "6 selected" in html
    assert re.findall(r'src="(?!data:image/)', html) == [] and "http" not in html.replace(
        "http://www.w3.org", ""
    )
    assert dataset._repr_html_().count("<img") == 40


def test_names_are_escaped(tmp_path: Path) -> None:
    write_shapes(tmp_path / "drawn", 30)
    (tmp_path / "drawn" / "disc").rename(tmp_path / "drawn" / "<b>disc")
    found = vecaf.open(tmp_path / "drawn", home=tmp_path / "home")
    assert "<b>" not in found.show()._repr_html_()


@pytest.mark.soak
def test_a_selection_becomes_a_model(dataset: OpenDataset, tmp_path: Path) -> None:
    """A worker process executes the run."""
    selected = dataset.select(9, strategy="typiclust")
    model = dataset.finetune(selected, epochs=5)
    assert model.results["labeled"].tolist() == [9]
    assert model.results["test accuracy"].between(0, 1).all()
    image = next((dataset.store.settings.home.parent / "shapes").rglob("*.png"))
    assert set(model.predict(image)) == {"disc", "square", "stripes"}
    assert (tmp_path / "exported" / "model.onnx") in model.export(tmp_path / "exported")
    assert "test accuracy" in repr(model)
    assert selected.save() == "typiclust 9 from a notebook (2)"


def test_rows_for_fiftyone(dataset: OpenDataset) -> None:
    selected = dataset.select(6, strategy="typiclust")
    rows = dataset.fiftyone_rows(selected)
    assert [row.sample_id for row in rows] == dataset.samples.ids.tolist()
    tagged = [row for row in rows if "selected" in row.tags]
    assert {row.sample_id for row in tagged} == set(selected.ids.tolist())
    assert all(set(row.scores) == set(selected.scores) for row in tagged)
    assert rows[0].tags[0] in ("train", "val", "test") and len(rows[0].embedding) == 1280


@pytest.mark.soak
def test_fiftyone_makes_samples(dataset: OpenDataset) -> None:
    if not PYTHON.exists():
        pytest.skip("./test --soak makes .venv-interop, which is missing")
    rows = [asdict(row) for row in dataset.fiftyone_rows(dataset.select(6, strategy="typiclust"))]
    rows[0]["prediction"] = ("disc", 0.9)
    done = subprocess.run(
        [PYTHON, Path(__file__).parent / "programs" / "with_fiftyone.py"],
        input=json.dumps(rows, default=str), capture_output=True, text=True,
        env=os.environ | {"FIFTYONE_DO_NOT_TRACK": "true"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    samples = json.loads(done.stdout)
    assert len(samples) == 60
    assert samples[0]["prediction"]["label"] == "disc"
    assert samples[0]["prediction"]["confidence"] == 0.9
    assert samples[0]["filepath"] == str(dataset.samples.paths[0])
    assert len(samples[0]["embedding"]) == 1280
    assert sum("selected" in one["tags"] for one in samples) == 6
    names = {one["ground_truth"]["label"] for one in samples}
    assert names == {"disc", "square", "stripes"}
