"""What a dataset's labels mean to a model whose classes have been renamed or added to since."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from vecaf.datasets.pool import Samples
from vecaf.errors import InputError
from vecaf.runs.evaluate import labels_as_known

KNOWN = ("cat", "dog")
TODAY = ("tiger", "dog", "cat")  # cat was renamed, and another cat was added


def meant(classes: tuple[str, ...], labels: list[int], today: tuple[str, ...]) -> Any:
    samples = cast(Samples, SimpleNamespace(classes=classes, labels=np.array(labels)))
    return labels_as_known(samples, np.arange(len(labels)), KNOWN, today).tolist()


def test_a_class_keeps_its_place_under_another_name() -> None:
    assert meant(TODAY, [1, 0, 0], TODAY) == [1, 0, 0]


def test_a_new_class_of_an_old_name_is_unknown() -> None:
    with pytest.raises(InputError, match=r"the class 'cat'. It knows: tiger, dog. Finetune once"):
        meant(TODAY, [0, 2], TODAY)


def test_another_dataset_may_say_todays_names_or_those_of_then() -> None:
    assert meant(("dog", "tiger"), [0, 1], ("tiger", "dog")) == [1, 0]
    assert meant(("dog", "cat"), [0, 1], ("tiger", "dog")) == [1, 0]
    with pytest.raises(InputError, match=r"'lion'. It knows: tiger, dog. Rename its classes"):
        meant(("lion",), [0], ("tiger", "dog"))
