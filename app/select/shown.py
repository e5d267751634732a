"""What the Select page shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.explore.maps import MapState
from app.select.form import PoolFacts
from app.shell.address import link
from vecaf.store import Sample


@dataclass(frozen=True)
class Shown:
    """What is shown: the address's values, the pool, the samples by id, how far the map is."""

    values: Mapping[str, str]
    pool: PoolFacts
    samples: Mapping[int, Sample]
    lay: MapState

    def address(self, **changes: object) -> str:
        kept = {name: self.values.get(name) for name in ("task", "against", "pick", "show")}
        return link("/select", **{"dataset": self.pool.id, **kept, **changes})
