"""One dataset as the Data page shows it, read from the store and put together."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from app.data import dataset_parts, dataset_view, sharing_view
from app.data.dataset_acts import filter_of
from app.data.dataset_history import timeline
from app.data.dataset_view import PAGE, SHARING, TABS, Detail
from app.shell.address import whole
from app.shell.studio import Studio
from vecaf.accounts.sharing import shared_with
from vecaf.errors import NotFoundError
from vecaf.store import Dataset, User, visible
from vecaf.store.datasets import Version, active_jobs, dataset_versions, version_of
from vecaf.store.gallery import (
    changes_of,
    count_images,
    history_of_image,
    page_of_images,
)
from vecaf.store.next_step import next_step
from vecaf.store.page_queries import DatasetCard, dataset_card
from vecaf.store.samples import samples_by_id


class Cards:
    """Dataset cards, kept while nothing on them has changed: counting costs a scan."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self._card = lru_cache(maxsize=256)(self._read)

    def _read(self, user: int, dataset_id: int, _version: Version) -> DatasetCard:
        with self.studio.store.read() as session:
            return dataset_card(session, user, dataset_id)

    def all(self, user: int) -> list[DatasetCard]:
        """The cards of the user's datasets, newest first."""
        with self.studio.store.read() as session:
            versions = dataset_versions(session, user)
        found = []
        for dataset_id, version in versions:
            try:
                found.append(self._with_next(user, self._card(user, dataset_id, version)))
            except NotFoundError:
                continue  # deleted a moment ago
        return found

    def one(self, user: int, dataset: Dataset) -> DatasetCard:
        """One card. Raises NotFoundError."""
        return self._with_next(user, self._card(user, dataset.id, version_of(dataset)))

    def _with_next(self, user: int, card: DatasetCard) -> DatasetCard:
        """The card with its next step, which a new selection changes without a new version."""
        if not card.unlabeled:
            return card
        with self.studio.store.read() as session:
            return replace(card, next=next_step(session, user, card.id, card.pool_counts))


def detail(
    studio: Studio, cards: Cards, user: int, dataset_id: int, values: dict[str, str]
) -> tuple[str, bool]:
    """(The page of a dataset, whether something on it is under way). Raises NotFoundError."""
    tab = values.get("view", "")
    tab = tab if tab in TABS or (tab == SHARING and studio.accounts) else "images"
    which = filter_of(values)
    shown = whole(values, "image")
    with studio.store.read() as session:
        dataset = visible(session, user, Dataset, dataset_id)
        own = dataset.owner_id == user
        tab = tab if own or tab != SHARING else "images"
        busy = active_jobs(session, user, dataset_id)
        newest = changes_of(session, user, dataset_id, limit=1)
        listed = tab == "images" and shown is None
        matching = count_images(session, user, dataset_id, which) if listed else 0
        number = min(max(1, whole(values, "part") or 1), max(1, -(-matching // PAGE)))
        offset = (number - 1) * PAGE
        images = page_of_images(session, user, dataset_id, which, offset, PAGE) if matching else []
        image = samples_by_id(session, user, dataset_id, [shown] if shown is not None else [])
        one = Detail(
            card=cards.one(user, dataset),
            revision=dataset.revision,
            busy=busy,
            last=newest[0] if newest else None,
            tab=tab,
            values=values,
            which=which,
            matching=matching,
            number=number,
            images=images,
            changes=changes_of(session, user, dataset_id) if tab == "history" else [],
            image=next(iter(image.values()), None),
            history=history_of_image(session, user, shown) if shown in image else [],
            owner="" if own else session.get_one(User, dataset.owner_id).name,
            shares=shared_with(session, user, dataset_id) if own and studio.accounts else None,
        )
    return page(one, shown is not None), bool(busy)


def page(one: Detail, single: bool) -> str:
    """The HTML of a dataset's page; `single`: the address names an image."""
    if single:
        body = dataset_parts.image(one)
    elif one.tab == "classes":
        body = dataset_parts.classes(one)
    elif one.tab == "report":
        body = dataset_parts.report(one)
    elif one.tab == SHARING:
        body = sharing_view.sharing(one.shares or ())
    elif one.tab == "history":
        body = timeline(one.changes)
    else:
        body = dataset_view.images(one)
    return (
        f'<div class="detail{" read-only" if one.owner else ""}" data-key="detail-{one.card.id}">'
        f"{dataset_view.head(one)}"
        f'<div data-key="view-{one.tab}-{single}" class="detail-body">{body}</div></div>'
    )
