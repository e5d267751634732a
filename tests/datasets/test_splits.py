from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from vecaf.datasets.splits import MAX_VAL, complete_splits


def test_fractions_are_70_10_20_in_every_class() -> None:
    labels = [0] * 100 + [1] * 50
    splits = complete_splits([str(i) for i in range(150)], labels, [None] * 150, seed=0)
    counts = Counter(zip(labels, splits, strict=True))
    assert [counts[0, s] for s in ("train", "val", "test")] == [70, 10, 20]
    assert [counts[1, s] for s in ("train", "val", "test")] == [35, 5, 10]


def test_val_has_at_most_2000_images_and_given_splits_are_kept() -> None:
    given_splits = ["train"] * 30_000 + ["test"] * 10
    splits = complete_splits([str(i) for i in range(30_010)], [0] * 30_010, given_splits, seed=0)
    assert Counter(splits) == {"train": 28_000, "val": MAX_VAL, "test": 10}
    assert splits[30_000:] == ["test"] * 10


def test_many_small_classes_still_give_a_test_split() -> None:
    labels = [i // 2 for i in range(200)]  # with two images per class, no class can give 20%
    splits = complete_splits([str(i) for i in range(200)], labels, [None] * 200, seed=0)
    assert Counter(splits) == {"train": 140, "val": 20, "test": 40}


def test_another_seed_draws_other_splits() -> None:
    def drawn(seed: int) -> list[str]:
        return complete_splits([str(i) for i in range(100)], [0] * 100, [None] * 100, seed)

    assert drawn(0) == drawn(0) != drawn(1)


def test_without_train_nothing_is_drawn() -> None:
    assert complete_splits(["a", "b"], [0, 1], ["test", "test"], 0) == ["test", "test"]


@given(
    st.lists(
        st.tuples(
            st.integers(0, 30).map(str),
            st.integers(-1, 4),
            st.sampled_from([None, "train", "val", "test"]),
        ),
        max_size=80,
    ),
    st.integers(0, 5),
)
def test_invariants(rows: list[tuple[str, int, str | None]], seed: int) -> None:
    keys, labels, given_splits = ([row[i] for row in rows] for i in range(3))
    splits = complete_splits(keys, labels, given_splits, seed)  # type: ignore[arg-type]
    drawn: dict[object, set[str]] = {}
    for key, split, before in zip(keys, splits, given_splits, strict=True):
        if before in ("val", "test"):
            assert split == before
        else:
            drawn.setdefault(key, set()).add(split)
    assert all(len(sides) == 1 for sides in drawn.values()), "equal content parted"
    trainable = {
        label for label, s in zip(labels, given_splits, strict=True) if s in (None, "train")
    }
    kept = {label for label, split in zip(labels, splits, strict=True) if split == "train"}
    assert trainable == kept, "a class lost its last train image"
    backwards = complete_splits(keys[::-1], labels[::-1], given_splits[::-1], seed)  # type: ignore[arg-type]
    assert backwards[::-1] == splits
