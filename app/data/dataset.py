"""The page of one dataset: read from the store, rendered by `dataset.html`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from vecaf.accounts.sharing import shared_with
from vecaf.datasets.writers import TITLES
from vecaf.store import Dataset, Sample, User, visible
from vecaf.store.datasets import ActiveJob, active_jobs
from vecaf.store.gallery import (
    UNLABELED,
    Change,
    Filter,
    ImageChange,
    changes_of,
    count_images,
    history_of_image,
    page_of_images,
)
from vecaf.store.page_queries import DatasetCard
from vecaf.store.samples import samples_by_id

from ..shell.address import link, whole
from ..shell.studio import Studio
from ..shell.templates import macros
from .cards import Cards
from .dataset_changes import filter_of
from .report import ReportView, report_view

PAGE_SIZE = 24  # images; each has two fields
TABS = {"images": "Images", "classes": "Classes", "report": "Import report", "history": "History"}
SHARING = "sharing"  # a tab in studios with accounts
EVERYTHING = Filter()


@dataclass(frozen=True)
class DatasetPage:
    """Everything that the page of one dataset shows."""

    card: DatasetCard
    revision: int
    jobs: Sequence[ActiveJob]  # that have not ended
    last: Change | None
    tab: str = "images"
    values: dict[str, str] = field(default_factory=dict)  # the parameters of the address
    which: Filter = EVERYTHING
    matching: int = 0
    number: int = 1  # of the page of images, from 1; `part` in the address: Gradio uses `page`
    images: Sequence[Sample] = ()
    changes: Sequence[Change] = ()
    image: Sample | None = None
    history: Sequence[ImageChange] = ()
    owner: str = ""  # who shares the dataset with the user; "" for the user's own
    shares: Sequence[str] | None = None  # names of users; None in studios without accounts

    @property
    def tabs(self) -> dict[str, str]:
        """The dataset's views, key → title."""
        return TABS if self.shares is None else {**TABS, SHARING: "Sharing"}

    @property
    def label(self) -> str:
        """The filter's label as the address has it: a class number, "none", or "" for all."""
        if self.which.label is None:
            return ""
        return "none" if self.which.label == UNLABELED else str(self.which.label)

    @property
    def numbered_classes(self) -> list[tuple[str, str]]:
        return [(str(i), name) for i, name in enumerate(self.card.classes)]

    @property
    def last_page(self) -> int:
        return max(1, -(-self.matching // PAGE_SIZE))

    @property
    def first(self) -> int:
        """The number of the first image on the page, from 1."""
        return (self.number - 1) * PAGE_SIZE + 1

    @property
    def last_on_page(self) -> int:
        return min(self.first + PAGE_SIZE - 1, self.matching)

    @property
    def report(self) -> ReportView:
        return report_view(self.card)

    def address(self, **values: object) -> str:
        """Return the address of another view: the filter stays, `values` replace its parts."""
        kept = {key: self.values.get(key) or None for key in ("words", "split", "label", "pool")}
        return link("/", **{"dataset": self.card.id, **kept, **values})


def detail(
    studio: Studio, cards: Cards, user: int, dataset_id: int, values: dict[str, str]
) -> tuple[str, bool]:
    """Return (the HTML of a dataset's page, whether a job on it is in progress).

    Raises NotFoundError.
    """
    tab = values.get("view", "")
    tab = tab if tab in TABS or (tab == SHARING and studio.accounts) else "images"
    which = filter_of(values)
    image_id = whole(values, "image")
    with studio.store.read() as session:
        dataset = visible(session, user, Dataset, dataset_id)
        own = dataset.owner_id == user
        tab = tab if own or tab != SHARING else "images"
        jobs = active_jobs(session, user, dataset_id)
        newest = changes_of(session, user, dataset_id, limit=1)
        listed = tab == "images" and image_id is None
        matching = count_images(session, user, dataset_id, which) if listed else 0
        number = min(max(1, whole(values, "part") or 1), max(1, -(-matching // PAGE_SIZE)))
        offset = (number - 1) * PAGE_SIZE
        images = (
            page_of_images(session, user, dataset_id, which, offset, PAGE_SIZE) if matching else []
        )
        found = {} if image_id is None else samples_by_id(session, user, dataset_id, [image_id])
        image = next(iter(found.values()), None)
        shown = DatasetPage(
            card=cards.one(user, dataset),
            revision=dataset.revision,
            jobs=jobs,
            last=newest[0] if newest else None,
            tab=tab,
            values=values,
            which=which,
            matching=matching,
            number=number,
            images=images,
            changes=changes_of(session, user, dataset_id) if tab == "history" else [],
            image=image,
            history=[] if image is None else history_of_image(session, user, image.id),
            owner="" if own else session.get_one(User, dataset.owner_id).name,
            shares=shared_with(session, user, dataset_id) if own and studio.accounts else None,
        )
    return page(shown, image_id is not None), bool(jobs)


def page(dataset: DatasetPage, single: bool) -> str:
    """Render the page; `single` is whether the address names an image."""
    return str(macros("data", "dataset.html").page(dataset, single, TITLES))
