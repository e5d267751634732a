"""Routes that send values of all samples as binary bundles, which browsers cache."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from numpy.typing import NDArray

from vecaf.errors import NotFoundError
from vecaf.evaluation.predictions import load_predictions
from vecaf.store import Dataset, Run, Subset, visible
from vecaf.store.columns import (
    Columns,
    count_samples,
    read_columns,
    read_hash_prefixes,
    read_selected_rounds,
    read_subset_ids,
)
from vecaf.store.runs import rounds_of

from ..shell.array_bundle import pack
from ..shell.ids import Id
from ..shell.studio import Studio
from . import maps

GivenId = Annotated[int, Query(ge=1, le=2**63 - 1)]
REMEMBERED = 3  # datasets whose columns stay in memory: 14 MB for a million samples


@dataclass
class ColumnsCache:
    """Columns by dataset id and revision. A second tab or a reload needs the same ones."""

    kept: OrderedDict[tuple[int, int], Columns] = field(default_factory=OrderedDict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, key: tuple[int, int], read: Callable[[], Columns]) -> Columns:
        with self.lock:  # two tabs that open together read the table once
            if key not in self.kept:
                self.kept[key] = read()
                while len(self.kept) > REMEMBERED:
                    self.kept.popitem(last=False)
            self.kept.move_to_end(key)
            return self.kept[key]


def routes(studio: Studio) -> APIRouter:
    router = APIRouter()
    cache = ColumnsCache()
    settings = studio.settings

    def columns_of(request: Request, dataset_id: int) -> tuple[Dataset, Columns]:
        user = studio.user(request)
        with studio.store.read() as session:
            dataset = visible(session, user, Dataset, dataset_id)
            columns = cache.get(
                (dataset_id, dataset.revision), lambda: read_columns(session, user, dataset_id)
            )
        return dataset, columns

    @router.get("/{dataset_id}/columns.bin")
    def columns(dataset_id: Id, request: Request) -> Response:
        """Send ids, labels, splits, excluded and captioned of all samples, ordered by id.

        The bundle's JSON has the class names.
        """
        with studio.store.read() as session:
            dataset = visible(session, studio.user(request), Dataset, dataset_id)

        def make() -> bytes:
            found, columns = columns_of(request, dataset_id)
            arrays: dict[str, NDArray[Any]] = {
                "ids": columns.ids,
                "labels": columns.labels,
                "splits": columns.splits,
                "excluded": columns.excluded,
                "captioned": columns.captioned,
            }
            return pack(arrays, {"revision": found.revision, "classes": found.classes})

        return _answer(request, (dataset.content_hash, dataset_id, dataset.revision), make)

    @router.get("/{dataset_id}/keys.bin")
    def keys(dataset_id: Id, request: Request) -> Response:
        """Send the first 6 bytes of each image's SHA-256, for the addresses of thumbnails."""
        user = studio.user(request)
        with studio.store.read() as session:
            dataset = visible(session, user, Dataset, dataset_id)

        def make() -> bytes:
            with studio.store.read() as session:
                return pack({"keys": read_hash_prefixes(session, user, dataset_id)})

        return _answer(request, (dataset.content_hash, dataset_id), make)

    @router.get("/{dataset_id}/points.bin")
    def points(
        dataset_id: Id,
        request: Request,
        method: Literal["pca", "umap"] | None = None,
        view: Literal["image", "text"] = "image",
    ) -> Response:
        """Send the map coordinates `xy` of all samples: two float32 values per sample.

        Without `method`, UMAP is sent if it is ready, else PCA; status 204 if neither is.
        """
        user = studio.user(request)
        with studio.store.read() as session:
            if method is None:
                ready = maps.map_state(session, settings, user, dataset_id).ready
                method = next((name for name in ("umap", "pca") if name in ready), None)
                if method is None:
                    return Response(status_code=204, headers={"Cache-Control": "no-store"})
            name = maps.file_name(method, view)
            path = maps.map_file(session, settings, user, dataset_id, name)

        def make() -> bytes:
            with studio.store.read() as session:  # counting is faster than reading the columns
                size = count_samples(session, user, dataset_id)
            array = np.asarray(maps.read_rows(path, size), np.float32)
            return pack({"xy": array}, {"method": method, "view": view})

        return _answer(request, (str(path), path.stat().st_mtime_ns), make)

    @router.get("/{dataset_id}/values.bin")
    def values(dataset_id: Id, run: GivenId, request: Request) -> Response:
        """Send a run's values for all samples.

        `predicted` (class index, −1 if none), `confidence` and `loss` (NaN if unknown) are from its
        last round with predictions. `round` is the round that selected the sample, 0 if none did.
        """
        user = studio.user(request)
        _, columns = columns_of(request, dataset_id)
        with studio.store.read() as session:
            found = visible(session, user, Run, run)
            if found.dataset_id != dataset_id:
                raise NotFoundError(f"There is no run {run} on this dataset.")
            rounds = [done.number for done in rounds_of(session, user, run)]
            selected, numbers = read_selected_rounds(session, user, run)
        arrays: dict[str, NDArray[Any]] = {"round": np.zeros(len(columns), np.uint8)}
        arrays["round"][columns.rows_of(selected)] = np.minimum(numbers, 255)
        folder = settings.runs / str(run)
        for number in reversed(rounds):
            predictions = load_predictions(folder, number)
            if predictions is None:
                continue
            arrays |= _aligned(columns, predictions.ids, predictions)
            break
        return _answer(request, (), lambda: pack(arrays, {"run": run}))

    @router.get("/{dataset_id}/caption-match.bin")
    def caption_match(dataset_id: Id, request: Request) -> Response:
        """Send the cosine similarity of each image and its caption, NaN without a caption."""
        user = studio.user(request)
        _, columns = columns_of(request, dataset_id)
        with studio.store.read() as session:
            path = maps.map_file(session, settings, user, dataset_id, maps.CAPTION_MATCH)
        array = np.asarray(maps.read_rows(path, len(columns)), np.float32)
        return _answer(request, (str(path), path.stat().st_mtime_ns), lambda: pack({"v": array}))

    @router.get("/{dataset_id}/subset.bin")
    def subset(dataset_id: Id, subset: GivenId, request: Request) -> Response:
        """Send the rows of a subset's images, in its order."""
        user = studio.user(request)
        _, columns = columns_of(request, dataset_id)
        with studio.store.read() as session:
            found = visible(session, user, Subset, subset)
            ids = read_subset_ids(session, user, subset)
        rows = columns.rows_of(ids).astype(np.uint32)
        return _answer(request, (), lambda: pack({"rows": rows}, {"name": found.name}))

    return router


def _aligned(columns: Columns, ids: NDArray[np.int64], given: Any) -> dict[str, NDArray[Any]]:
    """Return a run's predictions in the order of the columns."""
    known = np.isin(ids, columns.ids)
    rows = columns.rows_of(ids[known])
    predicted = np.full(len(columns), -1, np.int16)
    confidence = np.full(len(columns), np.nan, np.float32)
    loss = np.full(len(columns), np.nan, np.float32)
    predicted[rows] = given.predicted[known]
    confidence[rows] = given.confidence[known]
    loss[rows] = given.loss[known]
    return {"predicted": predicted, "confidence": confidence, "loss": loss}


def _answer(request: Request, version: tuple[object, ...], make: Callable[[], bytes]) -> Response:
    """Return a bundle that browsers cache and revalidate by an ETag.

    The ETag is a hash of `version`, or of the content if `version` is empty. `make` makes the
    content; it is not called if the browser has this version.
    """
    content = None if version else make()
    hashed = repr(version).encode() if content is None else content
    tag = f'"{hashlib.sha256(hashed).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    body = make() if content is None else content
    return Response(body, media_type="application/octet-stream", headers=headers)
