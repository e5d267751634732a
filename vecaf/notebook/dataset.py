"""A dataset and a selection in a notebook. They use the data folder of the studio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vecaf.arrays import Floats
from vecaf.config import RunConfig
from vecaf.datasets.pool import Samples, load_samples
from vecaf.errors import VecafError
from vecaf.notebook.fiftyone import SELECTED, Row, fiftyone_dataset
from vecaf.notebook.model import FinetunedModel
from vecaf.notebook.view import View
from vecaf.store import FINISHED, SELECTION, Dataset, Sample, Store, visible
from vecaf.store.samples import samples_by_id

if TYPE_CHECKING:
    import fiftyone
    import pandas as pd


@dataclass(frozen=True)
class OpenDataset:
    """A dataset of the studio."""

    store: Store
    user: int
    id: int

    @property
    def name(self) -> str:
        """The name of the dataset."""
        with self.store.read() as session:
            return visible(session, self.user, Dataset, self.id).name

    @property
    def samples(self) -> Samples:
        """The images and labels as they are now, in id order."""
        with self.store.read() as session:
            dataset = visible(session, self.user, Dataset, self.id)
            return load_samples(session, dataset, self.store.settings.images)

    def __len__(self) -> int:
        return len(self.samples)

    def __repr__(self) -> str:
        samples = self.samples
        labeled = int((samples.labels >= 0).sum())
        return (
            f"<dataset '{self.name}': {len(samples)} images, {labeled} labeled, "
            f"{len(samples.classes)} classes>"
        )

    def _repr_html_(self) -> str:
        return self.show()._repr_html_()

    def embed(self, model: str = RunConfig.model) -> Floats:
        """Return the features of all images, shape (n, d), in the order of `samples`.

        They are computed once and cached.
        """
        from vecaf.encoders.dataset_features import embed_samples, pvm_for

        samples = self.samples
        pvm = pvm_for(RunConfig(model=model), samples)
        return embed_samples(pvm, samples, self.store.settings, lambda done, total: None)[0]

    def select(
        self, budget: int | str, strategy: str = RunConfig.strategy, **settings: Any
    ) -> SelectedImages:
        """Select images that are worth labeling, without training.

        Parameters
        ----------
        budget
            A count, or a percentage of the pool such as "5%".
        strategy
            One of the names that `vecaf strategies` lists.
        **settings
            More settings of a run, such as seed=1, track="labels-known".
        """
        from vecaf.runs.recording import MemoryRecorder
        from vecaf.runs.selection_only import select_images

        values = {"dataset": self.name, "budget": str(budget), "strategy": strategy}
        config = RunConfig.from_dict({**settings, **values})
        result = select_images(config, self.samples, MemoryRecorder(), self.store.settings)
        chosen = result.selected
        facts = {"strategy": result.strategy, "budget": str(budget), "seed": config.seed}
        return SelectedImages(self, chosen.sample_ids, dict(chosen.scores), facts)

    def show(self, selected: SelectedImages | None = None, *, images: int = 40) -> View:
        """Show the images on a map of their features, and as a grid.

        Parameters
        ----------
        selected
            Highlight these images, and show them in the grid. Default: random images.
        images
            How many images the grid shows.
        """
        ids = None if selected is None else selected.ids
        return View.of(self.name, self.samples, self.embed(), self.store.settings, ids, images)

    def finetune(self, selected: SelectedImages | None = None, **settings: Any) -> FinetunedModel:
        """Launch a run and wait for it.

        Parameters
        ----------
        selected
            Train on these images in one round. Default: the run selects images by itself.
        **settings
            Settings of the run, such as budget="5%", rounds=3, mode="lora".

        Raises
        ------
        VecafError
            The run failed or was canceled.
        """
        from vecaf.engine.queue import submit_run
        from vecaf.engine.waiting import wait_for_run

        values = {"dataset": self.name}
        if selected is not None:
            values |= {"subset": selected.save(), "rounds": settings.pop("rounds", 1)}
        run = submit_run(self.store, RunConfig.from_dict({**settings, **values}), self.user)
        wait_for_run(self.store, self.user, run, lambda record: None)
        model = FinetunedModel(self.store, self.user, run)
        if model.record.state != FINISHED:
            raise VecafError(model.record.error or f"Run {run} is {model.record.state}.")
        return model

    def to_fiftyone(
        self,
        selected: SelectedImages | None = None,
        model: FinetunedModel | None = None,
        name: str | None = None,
    ) -> fiftyone.Dataset:
        """Return a new FiftyOne dataset with labels, captions, and embeddings.

        Needs `pip install fiftyone`.

        Parameters
        ----------
        selected
            Tag these images with "selected", and add their scores.
        model
            Add the predictions of this model.
        name
            Name of the FiftyOne dataset.
        """
        return fiftyone_dataset(self.fiftyone_rows(selected, model), name)

    def fiftyone_rows(
        self, selected: SelectedImages | None = None, model: FinetunedModel | None = None
    ) -> list[Row]:
        """Return what `to_fiftyone` adds, one row per image."""
        samples, features = self.samples, self.embed()
        ranks = {} if selected is None else {one: k for k, one in enumerate(selected.ids.tolist())}
        predicted = None if model is None else model.predictions(samples.paths)
        rows = []
        for k, sample_id in enumerate(samples.ids.tolist()):
            rank, label = ranks.get(sample_id), int(samples.labels[k])
            scores = {} if rank is None or selected is None else selected.scores
            rows.append(
                Row(
                    path=samples.paths[k],
                    sample_id=sample_id,
                    tags=[str(samples.splits[k]), *([] if rank is None else [SELECTED])],
                    label=None if label < 0 else samples.classes[label],
                    caption=samples.captions[k],
                    embedding=features[k].tolist(),
                    scores={name: float(values[rank]) for name, values in scores.items()},
                    prediction=None if predicted is None else predicted[k],
                )
            )
        return rows

    def to_pandas(self) -> pd.DataFrame:
        """Return one row per image: id, file_name, split, label, caption."""
        return self._frame([int(one) for one in self.samples.ids])

    def _frame(self, ids: Sequence[int]) -> pd.DataFrame:
        import pandas as pd

        with self.store.read() as session:
            dataset = visible(session, self.user, Dataset, self.id)
            found = samples_by_id(session, self.user, self.id, ids)
        rows: list[Sample] = [found[sample_id] for sample_id in ids]
        return pd.DataFrame(
            {
                "id": [row.id for row in rows],
                "file_name": [row.file_name for row in rows],
                "split": [row.split for row in rows],
                "label": [
                    None if row.label is None else dataset.classes[row.label] for row in rows
                ],
                "caption": [row.caption for row in rows],
            }
        )


@dataclass(frozen=True)
class SelectedImages:
    """Selected images of a dataset, in rank order.

    Attributes
    ----------
    ids
        Ids of the images, shape (budget,).
    scores
        What explains each image: arrays (budget,) by name.
    facts
        Strategy, budget, and seed.
    """

    dataset: OpenDataset
    ids: NDArray[np.int64]
    scores: dict[str, NDArray[np.float32]]
    facts: dict[str, Any]

    def __len__(self) -> int:
        return len(self.ids)

    def _repr_html_(self) -> str:
        return self.show()._repr_html_()

    def show(self, *, images: int = 40) -> View:
        """Show the selected images on the map, and as a grid."""
        return self.dataset.show(self, images=images)

    def to_pandas(self) -> pd.DataFrame:
        """Return one row per image in rank order, with the scores of the strategy as columns."""
        frame = self.dataset._frame(self.ids.tolist())
        return frame.assign(**self.scores)

    def save(self, name: str = "") -> str:
        """Save the selection in the studio, so that you can label it there. Return its name."""
        from vecaf.store.subsets import add_subset, subsets_of

        dataset = self.dataset
        with dataset.store.write() as session:
            taken = {one.name for one in subsets_of(session, dataset.user, dataset.id)}
            wanted = name or f"{self.facts['strategy']} {len(self)} from a notebook"
            number = 1
            free = wanted
            while free in taken:
                number += 1
                free = f"{wanted} ({number})"
            scores = {key: values.tolist() for key, values in self.scores.items()}
            add_subset(session, dataset.user, dataset.id, free, SELECTION, self.ids.tolist(),
                       scores=scores, facts=self.facts)  # fmt: skip
        return free
