"""A finetuned model in a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from vecaf.arrays import softmax
from vecaf.store import Store
from vecaf.store.records import RunDetails

if TYPE_CHECKING:
    import pandas as pd

    from vecaf.export.predictor import Predictor


@dataclass(frozen=True)
class FinetunedModel:
    """A finished run and its model."""

    store: Store
    user: int
    run: int

    @cached_property
    def record(self) -> RunDetails:
        """The run with the results of its rounds."""
        from vecaf.store.runs import run_details

        with self.store.read() as session:
            return run_details(session, self.user, self.run)

    @property
    def results(self) -> pd.DataFrame:
        """One row per round, with its metrics."""
        import pandas as pd

        from vecaf.store.records import as_json

        rows = [as_json(one) for one in self.record.results]
        return pd.DataFrame(
            [
                {
                    "round": row["round"],
                    "labeled": row["labeled"],
                    "batches": row["batches"],
                    **{f"{split} {name}": value for split, values in row["metrics"].items()
                       for name, value in values.items()},
                }
                for row in rows
            ]
        )  # fmt: skip

    def predict(self, image: str | Path) -> dict[str, float]:
        """Return the most probable classes of an image file with their probabilities."""
        return self.predictor.predict(Path(image))

    def predictions(self, images: Sequence[Path]) -> list[tuple[str, float]]:
        """Return the most probable class of each image file, and its probability."""
        shares = softmax(self.predictor.logits(list(images)))
        best = shares.argmax(axis=1)
        return [
            (self.predictor.classes[k], float(shares[row, k]))
            for row, k in enumerate(best.tolist())
        ]

    @cached_property
    def predictor(self) -> Predictor:
        """The `vecaf.export.predictor.Predictor` of the run."""
        from vecaf.export.bundle import model_folder
        from vecaf.export.predictor import Predictor

        folder = model_folder(self.store, self.user, self.run)
        return Predictor.load(folder, "cpu")

    def export(self, to: str | Path) -> list[Path]:
        """Write the model, model card, and receipt to a new folder."""
        from vecaf.export.bundle import export_run

        return export_run(self.store, self.user, self.run, Path(to))

    def __repr__(self) -> str:
        last = self.record.results[-1]
        accuracy = "unknown" if last.test_accuracy is None else f"{last.test_accuracy:.1%}"
        return f"<model of run {self.run}: {last.labeled} labeled images, test accuracy {accuracy}>"
