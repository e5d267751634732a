"""What the Select page shows, as plain data that its views and templates share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vecaf.store import CANCELED, FAILED, Sample, Task

from ..explore.maps import MapState
from ..shell.address import link, whole

FIRST_IMAGES = 120  # thumbnails in the gallery at first; "Show more" adds to them
MOST_IMAGES = 6_000


@dataclass(frozen=True)
class PoolFacts:
    """A dataset's pool of `size` images, `labeled` of them with a label, and its test images."""

    id: int
    name: str
    classes: list[str]
    size: int
    labeled: int
    tests: int
    tests_labeled: int


@dataclass(frozen=True)
class PageState:
    """The parameters of the address, the pool, the loaded samples by id, and the map's state."""

    values: Mapping[str, str]
    pool: PoolFacts
    samples: Mapping[int, Sample]
    map: MapState

    @property
    def image(self) -> int | None:
        """Id of the image that the address names."""
        return whole(dict(self.values), "image")

    @property
    def limit(self) -> int:
        """How many images the gallery shows."""
        return gallery_limit(self.values)

    @property
    def map_missing(self) -> bool:
        """Whether the dataset has no map and none is being made."""
        return self.map.state in ("none", FAILED, CANCELED)

    def address(self, **changes: object) -> str:
        """Return the page's address with some parameters changed."""
        kept = {name: self.values.get(name) for name in ("task", "against", "image", "show")}
        return link("/select", **{"dataset": self.pool.id, **kept, **changes})

    def label(self, sample: Sample) -> str | None:
        """Return the name of a sample's class; None for an unlabeled one."""
        return None if sample.label is None else self.pool.classes[sample.label]


def gallery_limit(values: Mapping[str, str]) -> int:
    """Return how many images of a gallery an address asks for."""
    return min(max(FIRST_IMAGES, whole(dict(values), "show") or 0), MOST_IMAGES)


def task_name(task: Task) -> str:
    """'vecaf · 70 images · seed 0 · caption weight 0.25 · continues run 3'"""
    params = task.params
    budget = str(params.get("budget"))
    amount = f"{budget} of the pool" if budget.endswith("%") else f"{budget} images"
    if budget == "1":
        amount = "1 image"
    parts = [str(params.get("strategy")), amount, f"seed {params.get('seed')}"]
    parts.append(f"caption weight {params.get('caption_weight'):g}")
    if params.get("run"):
        parts.append(f"continues run {params['run']}")
    return " · ".join(parts)
