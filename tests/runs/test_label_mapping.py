"""Mapping of labels to a model's classes after classes were renamed or added."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from vecaf.datasets.pool import Samples
from vecaf.errors import InputError
from vecaf.runs.evaluate import labels_of_model

KNOWN = ("cat", "dog")
TODAY = ("tiger", "dog", "cat")  # cat was renamed, and another cat was added


def mapped(classes: tuple[str, ...], labels: list[int], today: tuple[str, ...]) -> Any:
    samples = cast(Samples, SimpleNamespace(classes=classes, labels=np.array(labels)))
    return labels_of_model(samples, np.arange(len(labels)), KNOWN, today).tolist()


def test_a_renamed_class_keeps_its_index() -> None:
    assert mapped(TODAY, [1, 0, 0], TODAY) == [1, 0, 0]


def test_a_new_class_with_an_old_name_is_unknown() -> None:
    with pytest.raises(InputError, match=r"the class 'cat'. It knows: tiger, dog. Finetune again"):
        mapped(TODAY, [0, 2], TODAY)


def test_another_dataset_may_use_current_or_former_names() -> None:
    assert mapped(("dog", "tiger"), [0, 1], ("tiger", "dog")) == [1, 0]
    assert mapped(("dog", "cat"), [0, 1], ("tiger", "dog")) == [1, 0]
    with pytest.raises(InputError, match=r"'lion'. It knows: tiger, dog. Rename the classes"):
        mapped(("lion",), [0], ("tiger", "dog"))
