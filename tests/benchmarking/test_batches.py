"""The rows of the table of batches use the stated number of batches."""

from __future__ import annotations

import pytest

from benchmarks import batches
from benchmarks.batches import BATCH, TRACKS, batches_used, rows_of, spending
from vecaf.errors import InputError

TABLES = [  # of benchmarks/README.md: mode, pool images, T
    ("head-only", 48_000, (100, 200, 400, 700)),
    ("head-only", 1_641, (10, 25, 50, 100)),
    ("full", 10_000, (100, 190)),
    ("full", 1_641, (15, 31)),
    ("lora", 1_641, (15, 31)),
]


@pytest.mark.parametrize("mode, pool, budgets", TABLES)
def test_every_row_of_the_published_tables_uses_t_batches(
    mode: str, pool: int, budgets: tuple[int, ...]
) -> None:
    track = TRACKS[mode]
    for row in rows_of(track.several):
        for budget in budgets:
            took = batches_used(spending(row, track.base, pool, budget), pool)
            assert abs(took - budget) <= 1, (row.name, budget)


def test_batches_of_the_head_do_not_count_in_full_mode() -> None:
    base = TRACKS["full"].base
    row = rows_of({})[1]
    plain = spending(row, base, 10_000, 100)
    pulled = spending(row, base, 10_000, 100, caption_weight=0.25, train_on_captions="yes")
    assert batches_used(plain, 10_000) == batches_used(pulled, 10_000) == 100


def test_captioned_copies_are_half_of_the_head_batches() -> None:
    track = TRACKS["head-only"]
    row = next(row for row in rows_of(track.several) if row.changes.get("train_on_captions"))
    config = spending(row, track.base, 1_641, 50)
    assert config.epochs == 1  # without the copies it would take two epochs
    assert int(config.budget) * config.rounds * 2 == 50 * BATCH


def test_a_t_without_a_close_number_of_epochs_is_rejected() -> None:
    track = TRACKS["head-only"]
    with pytest.raises(InputError, match="“vecaf” would use 75 batches instead of 65"):
        spending(rows_of(track.several)[1], track.base, 1_641, 65)


def test_rows_match_by_name_or_part_of_a_name() -> None:
    rows = rows_of(TRACKS["head-only"].several)
    chosen = [row.name for row in batches.matching_rows(rows, "vecaf,square")]
    assert chosen == ["vecaf", "vecaf with square roots of losses"]
    assert batches.matching_rows(rows, "") == rows
    with pytest.raises(InputError, match="No row name contains “sqare”"):
        batches.matching_rows(rows, "vecaf,sqare")
