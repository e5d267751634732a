"""Each sentence is embedded once, also across processes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from numpy.testing import assert_array_equal

from vecaf.encoders.text import TextTower
from vecaf.encoders.vlm import load_vlm

SENTENCES = ["a photo of a dog", "雪の中の犬", "a photo of a dog", "", "a cat"]


def counting(tower: TextTower, monkeypatch: pytest.MonkeyPatch) -> tuple[TextTower, list[str]]:
    """Return the tower, and a list of the sentences that it computes from now on."""
    computed: list[str] = []
    embed = tower._embed

    def note(texts: list[str]) -> npt.NDArray[np.float32]:
        computed.extend(texts)
        return embed(texts)

    monkeypatch.setattr(tower, "_embed", note)
    return tower, computed


@pytest.mark.parametrize("on_disk", [True, False], ids=["on disk", "in memory"])
def test_each_sentence_is_computed_once(
    on_disk: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path if on_disk else None
    tower, computed = counting(load_vlm("embedded", cache=cache).text_tower, monkeypatch)
    rows = tower(SENTENCES)
    assert sorted(computed) == sorted(set(SENTENCES))
    assert_array_equal(rows[0], rows[2])
    assert_array_equal(tower(SENTENCES[::-1]), rows[::-1])
    more = tower(["a horse", SENTENCES[0]])
    assert sorted(computed) == sorted({*SENTENCES, "a horse"})
    assert_array_equal(more[1], rows[0])
    assert tower([]).shape == (0, tower.dim)


def test_a_later_process_reads_earlier_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = load_vlm("embedded", cache=tmp_path).text_tower(SENTENCES)
    later, computed = counting(load_vlm("embedded", cache=tmp_path).text_tower, monkeypatch)
    assert_array_equal(later(SENTENCES), rows)
    assert computed == []
