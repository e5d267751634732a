"""Settings of stored runs after a migration: renamed, and with the defaults of their time."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.store.old_databases import ADD_RUN, ROWS, make_old
from vecaf.settings import Settings
from vecaf.store import Run, Store, Subset, Task


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    home = tmp_path / "home"
    home.mkdir()
    return Settings.from_environment({"VECAF_HOME": str(home)})


def test_the_renamed_setting_of_stored_runs_is_kept(settings: Settings) -> None:
    values = [('{"picks": "replace", "seed": 3}', 7), ('{"seed": 4}', 8)]
    script = "".join(ADD_RUN.format(id_, 1, config) for config, id_ in values)
    make_old(settings, "0007", "PRAGMA foreign_keys = OFF;" + script)
    with Store.open(settings).read() as session:
        found = {run.id: run.config for run in session.query(Run)}
    assert found[7]["training_images"] == "replace" and found[7]["seed"] == 3
    assert "picks" not in found[7] and "training_images" not in found[8]


def test_the_caption_weight_is_renamed_wherever_it_is_stored(settings: Settings) -> None:
    old = '{"text_pull": 0.5, "seed": 3}'
    rows = ROWS
    for values in ("'subset', '{}'", "'map', '{}'", "'r', '{}'"):
        rows = rows.replace(values, values.replace("{}", old))
    make_old(settings, "0002", rows)
    new = {"caption_weight": 0.5, "seed": 3}
    with Store.open(settings).read() as session:
        assert session.get_one(Subset, 1).facts == new
        assert session.query(Task).one().params == new
        assert session.get_one(Run, 7).config == {
            "train_on_captions": "yes",
            "image_size": 96,
            "augmentation": "full",
            "layer_decay": 0.75,
            "head_init": "auto",
            **new,
        }


def test_runs_keep_the_defaults_of_earlier_versions(settings: Settings) -> None:
    configs = {
        7: (1, "{}", 96), 8: (1, '{"image_size": 128, "train_on_captions": "no"}', 128),
        9: (1, '{"model": "vit_small_patch16_224"}', 0), 10: (2, "{}", 0),
    }  # fmt: skip
    script = "PRAGMA foreign_keys = OFF;"
    for dataset, side in ((1, 32), (2, 224)):
        script += (
            "INSERT INTO sample (dataset_id, file_name, sha256, extension, width, height, split) "
            f"VALUES ({dataset}, 'a.png', '', '.png', 300, {side}, 'train');"
        )
    for id_, (dataset, config, _) in configs.items():
        script += ADD_RUN.format(id_, dataset, config)
    make_old(settings, "0011", script)
    with Store.open(settings).read() as session:
        stored = {id_: session.get_one(Run, id_).config for id_ in configs}
    assert {id_: one.get("image_size", 0) for id_, one in stored.items()} == {
        id_: size for id_, (_, _, size) in configs.items()
    }
    assert [one["train_on_captions"] for one in stored.values()] == ["yes", "no", "yes", "yes"]
    assert {(one["augmentation"], one["layer_decay"]) for one in stored.values()} == {
        ("full", 0.75)
    }


def test_runs_keep_the_classifier_that_they_started_from(settings: Settings) -> None:
    known = '"track": "labels-known"'
    cases = {
        7: ("{}", "auto"), 8: ('{"head_init": "text"}', "auto"), 9: (f"{{{known}}}", "text"),
        10: (f'{{{known}, "head_init": "text"}}', "text"), 11: ('{"head_init": "means"}', "means"),
    }  # fmt: skip
    script = "".join(ADD_RUN.format(id_, 1, config) for id_, (config, _) in cases.items())
    make_old(settings, "0015", "PRAGMA foreign_keys = OFF;" + script)
    with Store.open(settings).read() as session:
        stored = {id_: session.get_one(Run, id_).config["head_init"] for id_ in cases}
    assert stored == {id_: after for id_, (_, after) in cases.items()}
