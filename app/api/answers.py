"""The JSON answers of the HTTP API. `vecaf.store.records` defines those on runs and rounds."""

from __future__ import annotations

from pydantic import BaseModel, Field

from vecaf.store.records import RunSummary


class DatasetItem(BaseModel):
    """A dataset."""

    id: int = Field(description="Id of the dataset.")
    name: str = Field(description="Name of the dataset.")
    images: int = Field(description="Number of images.")
    classes: int = Field(description="Number of classes.")
    splits: dict[str, int] = Field(description="Number of images by split: train, val, test.")


class DatasetList(BaseModel):
    """The datasets that you can see."""

    datasets: list[DatasetItem] = Field(description="The datasets, newest first.")


class JobStatus(BaseModel):
    """The progress of a job."""

    state: str = Field(description="queued, running, finished, failed, or canceled.")
    stage: str = Field(description="The current stage, as text.")
    done: int = Field(description="Progress of the stage, out of `total`.")
    total: int = Field(description="Total steps of the stage; 0 if unknown.")
    error: str | None = Field(description="Why the job failed; null otherwise.")


class ImportStatus(JobStatus):
    """An import, which makes a dataset of an uploaded file."""

    id: int = Field(description="Number of the import.", serialization_alias="import")
    name: str = Field(description="Name of the dataset.")
    dataset_id: int | None = Field(description="Id of the dataset; null until it exists.")


class SelectedImage(BaseModel):
    """A selected image."""

    id: int = Field(description="Id of the image.")
    file_name: str = Field(description="Name of the file that was uploaded.")
    split: str = Field(description="train, val, or test.")
    label: str | None = Field(description="Name of its class; null without a label.")
    scores: dict[str, float | None] = Field(description="Scores of the strategy by name.")


class SelectionStatus(JobStatus):
    """A selection, and the selected images when it is finished."""

    id: int = Field(description="Number of the selection.", serialization_alias="selection")
    dataset: str = Field(description="Name of the dataset.")
    dataset_id: int = Field(description="Id of the dataset.")
    images: list[SelectedImage] = Field(
        description="The selected images in rank order; empty until the selection is finished."
    )


class LabelRequest(BaseModel):
    """Selected images that wait for labels."""

    id: int = Field(description="Number of the request.", serialization_alias="request")
    name: str = Field(description="Name of the saved selection. A run accepts it as `subset`.")
    dataset_id: int = Field(description="Id of the dataset.")
    images: int = Field(description="Number of images.")
    labeled: int = Field(description="How many of them have a label.")
    page: str = Field(description="Path of the page where people label the images.")


class RunList(BaseModel):
    """Runs that you can see."""

    runs: list[RunSummary] = Field(description="At most 100 runs, newest first.")


class ClassProbability(BaseModel):
    """A class and its probability."""

    name: str = Field(description="Name of the class.")
    share: float = Field(description="Probability of the class, 0 to 1.")


class SimilarImage(BaseModel):
    """A training image whose features are similar to those of the predicted image."""

    id: int = Field(description="Id of the image.")
    similarity: float = Field(description="Cosine similarity of the features, −1 to 1.")


class ContributingImage(BaseModel):
    """A training image that contributes to the prediction."""

    id: int = Field(description="Id of the image.")
    share: float = Field(description="Share of all positive contributions to the top class.")


class Prediction(BaseModel):
    """The predicted classes of an image, and the training images that explain them."""

    classes: list[ClassProbability] = Field(description="The ten most probable classes.")
    nearest: list[SimilarImage] = Field(description="The most similar training images.")
    toward: list[ContributingImage] = Field(
        description="Training images that contribute most for the top class."
    )
    against: list[ContributingImage] = Field(
        description="Training images that contribute most against the top class."
    )
    training: int = Field(description="Number of training images that were compared.")
    trained_on_it: bool = Field(description="Whether the model was trained on this image.")


class BatchSummary(BaseModel):
    """The predictions of many images in numbers."""

    run: int = Field(description="Number of the run.")
    images: int = Field(description="Number of predicted images.")
    refused: int = Field(description="Number of files that can't be read.")
    unlike: int = Field(description="Number of images that are unlike the training data.")
    threshold: float = Field(
        description="Images with a larger distance count as unlike the training data."
    )
    score: str = Field(description="Meaning of the distance, as text.")
    classes: dict[str, int] = Field(description="Number of images by predicted class.")


class BatchStatus(BaseModel):
    """The progress of predicting many images."""

    id: int = Field(description="Id of the predictions.")
    run: int = Field(description="Number of the run.")
    state: str = Field(description="queued, running, finished, failed, or canceled.")
    stage: str = Field(description="The current stage, as text.")
    done: int = Field(description="Number of finished images in this stage.")
    total: int = Field(description="Number of images in this stage; 0 if unknown.")
    error: str | None = Field(description="Why it failed; null otherwise.")
    summary: BatchSummary | None = Field(description="The result; null until it has finished.")


class ExportStatus(BaseModel):
    """The progress of the export of a run."""

    run: int = Field(description="Number of the run.")
    state: str = Field(description="none, queued, running, finished, or failed.")
    stage: str = Field(description="The current stage, as text.")
    error: str | None = Field(description="Why the export failed; null otherwise.")


class ExportFile(BaseModel):
    """A file of an export."""

    name: str = Field(description="Name of the file.")
    bytes: int = Field(description="Size of the file in bytes.")


class ExportFileList(BaseModel):
    """The files of an export."""

    files: list[ExportFile] = Field(description="The files.")


class EndpointList(BaseModel):
    """The endpoints of the API."""

    endpoints: dict[str, str] = Field(description="A summary by method and path.")


class ApiError(BaseModel):
    """The answer to a request that failed."""

    error: str = Field(description="What happened, why, and what to do.")
