"""Questions by name, and what their answers work with."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from vecaf.errors import InputError, VecafError
from vecaf.inference.image_index import Gallery, open_gallery
from vecaf.registry import Registry
from vecaf.store import Dataset, Store, visible

WARM = 2  # datasets kept in memory: 120 MB each at 60,000 images

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Desk:
    """What questions are answered with; it remembers the datasets it was asked about last."""

    store: Store
    _galleries: dict[tuple[int, str], Gallery] = field(default_factory=dict)

    def gallery(self, user: int, dataset_id: int, vlm: str = "embedded") -> Gallery:
        """The dataset's images as a VLM sees them. The gate is asked every time.

        Raises NotFoundError, and UnavailableError while many images are not embedded yet.
        """
        with self.store.read() as session:
            dataset = visible(session, user, Dataset, dataset_id)
        key = (dataset_id, vlm)
        found = self._galleries.pop(key, None)
        if found is None:
            found = open_gallery(self.store, dataset, vlm)
            while len(self._galleries) >= WARM:
                del self._galleries[next(iter(self._galleries))]
        self._galleries[key] = found  # the last asked about is the last to be forgotten
        return found


Answer = Callable[..., dict[str, Any]]
ANSWERS: Registry[Answer] = Registry("question")
"""`function(desk, user, **arguments) -> answer`, a JSON object. Each asks the gate itself."""


def answer(desk: Desk, question: dict[str, Any]) -> dict[str, Any]:
    """The reply to {"name", "user", "arguments"}: {"answer": …}, or {"error", "kind"}.

    Nothing is raised: `kind` is the error's class, the sentence is for people.
    """
    try:
        function = ANSWERS[str(question["name"])]
        arguments = cast(dict[str, Any], question["arguments"])
        try:
            inspect.signature(function).bind(desk, question["user"], **arguments)
        except TypeError as error:
            raise InputError(f"'{question['name']}' can't be answered: {error}.") from error
        return {"answer": function(desk, question["user"], **arguments)}
    except VecafError as error:
        return {"error": str(error), "kind": type(error).__name__}
    except Exception as error:
        log.exception("the question could not be answered")
        return {
            "error": f"Something went wrong that should not have ({type(error).__name__}). The "
            "details are in what the studio's process printed.",
            "kind": "VecafError",
        }
