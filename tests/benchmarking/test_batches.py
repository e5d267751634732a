"""Rows of the table of batches spend what they are said to spend."""

from __future__ import annotations

import pytest

from benchmarks import batches
from benchmarks.batches import BATCH, TRACKS, rows_of, spending, spent
from vecaf.errors import InputError

TABLES = [  # those of benchmarks/README.md: what is trained, images of the pool, T
    ("head-only", 48_000, (100, 200, 400, 700)),
    ("head-only", 1_641, (10, 25, 50, 100)),
    ("full", 10_000, (100, 190)),
    ("full", 1_641, (15, 31)),
]


@pytest.mark.parametrize("mode, pool, budgets", TABLES)
def test_every_row_of_the_published_tables_spends_t(
    mode: str, pool: int, budgets: tuple[int, ...]
) -> None:
    track = TRACKS[mode]
    for row in rows_of(track.several):
        for budget in budgets:
            took = spent(spending(row, track.base, pool, budget), pool)
            assert abs(took - budget) <= 1, (row.name, budget)


def test_of_the_whole_models_runs_its_own_batches_count_alone() -> None:
    base = TRACKS["full"].base
    row = rows_of({})[1]
    plain = spending(row, base, 10_000, 100)
    pulled = spending(row, base, 10_000, 100, text_pull=0.25)
    assert spent(plain, 10_000) == spent(pulled, 10_000) == 100


def test_captioned_copies_fill_half_of_the_heads_batches() -> None:
    track = TRACKS["head-only"]
    row = next(row for row in rows_of(track.several) if row.changes.get("text_pull"))
    config = spending(row, track.base, 1_641, 50)
    assert config.epochs == 1  # where the images alone would have to be passed over twice
    assert int(config.budget) * config.rounds * 2 == 50 * BATCH


def test_a_t_that_no_whole_number_of_passes_comes_near_is_refused_beforehand() -> None:
    track = TRACKS["head-only"]
    with pytest.raises(InputError, match="“vecaf” would spend 75 batches where 65 are meant"):
        spending(rows_of(track.several)[1], track.base, 1_641, 65)


def test_rows_are_named_whole_or_by_a_word() -> None:
    rows = rows_of(TRACKS["head-only"].several)
    chosen = [row.name for row in batches.chosen(rows, "vecaf,square")]
    assert chosen == ["vecaf", "vecaf with square roots of losses"]
    assert batches.chosen(rows, "") == rows
    with pytest.raises(InputError, match="No row has “sqare” in its name"):
        batches.chosen(rows, "vecaf,sqare")
