"""The registry of request handlers, and the context in which they run."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from vecaf.errors import InputError, VecafError
from vecaf.inference.image_index import ImageIndex, load_image_index
from vecaf.inference.live_head import LiveHead
from vecaf.registry import Registry
from vecaf.store import Dataset, Store, visible
from vecaf.store.columns import count_samples

CACHED_DATASETS = 2  # in memory: 120 MB each at 60,000 images

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class InferenceContext:
    """What request handlers work with. Caches image indexes and heads of recent datasets."""

    store: Store
    _indexes: dict[tuple[int, str], ImageIndex] = field(default_factory=dict)
    _heads: list[LiveHead] = field(default_factory=list)

    def image_index(self, user: int, dataset_id: int, vlm: str = "embedded") -> ImageIndex:
        """Return the image index of a dataset. Authorizes the user for every request.

        Raises
        ------
        NotFoundError
            The dataset does not exist.
        UnavailableError
            Many of its images have no embeddings yet.
        """
        with self.store.read() as session:
            dataset = visible(session, user, Dataset, dataset_id)
            images = count_samples(session, user, dataset_id)
        key = (dataset_id, vlm)
        index = self._indexes.pop(key, None)
        if index is None or len(index.ids) != images:  # images were added or deleted
            index = load_image_index(self.store, dataset, vlm)
            while len(self._indexes) >= CACHED_DATASETS:
                del self._indexes[next(iter(self._indexes))]
        self._indexes[key] = index  # the most recently used is evicted last
        return index

    def live_head(
        self, index: ImageIndex, classes: tuple[str, ...], make: Callable[[], LiveHead]
    ) -> LiveHead:
        """Return the head that learns on `index` with these classes; `make` creates a new one."""
        indexes = list(self._indexes.values())
        kept = [head for head in self._heads if any(head.index is one for one in indexes)]
        found = next((one for one in kept if one.index is index and one.classes == classes), None)
        if found is None:
            kept = [head for head in kept if head.index is not index]
            found = make()
            kept.append(found)
        self._heads[:] = kept
        return found


Handler = Callable[..., dict[str, Any]]
HANDLERS: Registry[Handler] = Registry("request")
"""Functions `(context, user, **arguments) -> answer` by name. Each one authorizes the user."""


def handle(context: InferenceContext, request: dict[str, Any]) -> dict[str, Any]:
    """Handle a request {"name", "user", "arguments"}.

    Returns
    -------
    {"answer": …}, or {"error": message, "kind": name of the error class}. No error is raised.
    """
    try:
        function = HANDLERS[str(request["name"])]
        arguments = cast(dict[str, Any], request["arguments"])
        try:
            inspect.signature(function).bind(context, request["user"], **arguments)
        except TypeError as error:
            raise InputError(f"Invalid arguments for '{request['name']}': {error}.") from error
        return {"answer": function(context, request["user"], **arguments)}
    except VecafError as error:
        return {"error": str(error), "kind": type(error).__name__}
    except Exception as error:
        log.exception("Could not handle a request.")
        return {
            "error": f"Unexpected error ({type(error).__name__}). Details are in the output of the "
            "studio's process.",
            "kind": "VecafError",
        }
