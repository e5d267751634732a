"""A client of the HTTP API of a studio."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

from vecaf.client.answers import error_of
from vecaf.errors import BusyError, InputError, UnavailableError, VecafError
from vecaf.files import replacing

LOCAL = "http://127.0.0.1:7860"
API = "/api/v1"
ENDED = ("finished", "failed", "canceled")
POLL_SECONDS = 1.0
PATIENCE_SECONDS = 120.0

Answer = dict[str, Any]


class Client:
    """A studio that runs on this or another machine, through its HTTP API.

    All methods return what the API answers: dictionaries, which `/api/v1/docs` of the studio
    describes. All methods raise `vecaf.VecafError` with the message of the studio.

    Parameters
    ----------
    address
        Address of the studio.
    username, password
        The login, if the studio has accounts.
    poll
        Seconds between two requests while a method waits.
    transport
        An httpx transport, for proxies and tests.

    Examples
    --------
    >>> studio = vecaf.Client()
    >>> run = studio.run("photos", budget="5%")
    >>> for state in studio.follow(run["run"]):
    ...     print(state["stage"])
    """

    def __init__(
        self,
        address: str = LOCAL,
        username: str | None = None,
        password: str | None = None,
        *,
        poll: float = POLL_SECONDS,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.address = address.rstrip("/")
        self.poll = poll
        timeout = httpx.Timeout(600.0, connect=10.0)
        self._http = httpx.Client(base_url=self.address, timeout=timeout, transport=transport)
        if username is not None:
            self._send("POST", "/login", data={"username": username, "password": password or ""})

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # Datasets

    def datasets(self) -> list[Answer]:
        """List the datasets that you can see, newest first."""
        found: list[Answer] = self._json("GET", "/datasets")["datasets"]
        return found

    def dataset(self, name: str) -> Answer:
        """Return the newest dataset with this name. Raises InputError if there is none."""
        found = self.datasets()
        for one in found:
            if one["name"] == name:
                return one
        known = ", ".join(one["name"] for one in found) or "none"
        raise InputError(f"There is no dataset called '{name}'. Datasets: {known}.")

    def import_dataset(
        self, path: str | Path, name: str, *, file: str = "", label: str = "", caption: str = ""
    ) -> Answer:
        """Import a ZIP file as a dataset, and wait until it is imported.

        Parameters
        ----------
        path
            A ZIP file with images, in one of the formats that the studio reads.
        name
            Name of the new dataset.
        file, label, caption
            Columns with the file names, labels and captions, if they have unusual names.

        Returns
        -------
        The finished import. Its "dataset_id" is the id of the dataset.
        """
        columns = {"file": file, "label": label, "caption": caption}
        query = {"name": name} | {key: value for key, value in columns.items() if value}
        with Path(path).open("rb") as content:
            job = self._json("POST", "/datasets", params=query, content=content)
        return self._wait(f"/imports/{job['import']}")

    def export_dataset(self, name: str, to: str | Path, format: str = "csv") -> Path:
        """Download a dataset as a ZIP file, in one of the formats that the studio writes."""
        number = self.dataset(name)["id"]
        return self._download(f"/datasets/{number}/export", Path(to), {"format": format})

    # Selections

    def select(self, dataset: str, budget: int | str, **settings: Any) -> Answer:
        """Select images without training, and wait until they are selected.

        Parameters
        ----------
        dataset
            Name of the dataset.
        budget
            How many images to select: a count, or a percentage of the pool such as "5%".
        **settings
            More settings, such as strategy="typiclust" or run=3, a run whose model scores the
            images.

        Returns
        -------
        The finished selection. Its "images" are in rank order.
        """
        body = {"dataset": dataset, "budget": str(budget), **settings}
        started = self._json("POST", "/selections", json=body)
        return self._wait(f"/selections/{started['selection']}")

    def request_labels(self, selection: int, name: str) -> Answer:
        """Save a selection under a name, so that people can label it on the Label page."""
        return self._json("POST", f"/selections/{selection}/label-request", json={"name": name})

    def label_request(self, request: int) -> Answer:
        """Return how many images of a label request have a label."""
        return self._json("GET", f"/label-requests/{request}")

    # Runs

    def runs(self) -> list[Answer]:
        """List the newest 100 runs that you can see, newest first."""
        found: list[Answer] = self._json("GET", "/runs")["runs"]
        return found

    def run(self, dataset: str, **settings: Any) -> Answer:
        """Launch a run and return it. Settings are the options of `vecaf run`."""
        return self._json("POST", "/runs", json={"dataset": dataset, **settings})

    def run_state(self, run: int) -> Answer:
        """Return the state, the progress, and the results of a run."""
        return self._json("GET", f"/runs/{run}")

    def cancel(self, run: int) -> Answer:
        """Cancel a run. It keeps its finished rounds."""
        return self._json("POST", f"/runs/{run}/cancel")

    def follow(self, run: int) -> Iterator[Answer]:
        """Yield the run now and whenever it changes, until it has ended.

        The last value is the ended run: finished, failed, or canceled. Waits up to two minutes for
        a studio that restarts.
        """
        yield from self._changes(f"/runs/{run}")

    def wait(self, run: int) -> Answer:
        """Wait until a run is finished and return it. Raises VecafError if it failed."""
        return self._wait(f"/runs/{run}")

    # Models

    def predict(self, run: int, image: str | Path | bytes | int) -> Answer:
        """Predict an image with the model of a finished run.

        Parameters
        ----------
        image
            A path, the bytes of an image file, or the id of an image of a dataset.
        """
        path = f"/runs/{run}/predict"
        if isinstance(image, int):
            return self._json("GET", path, params={"image": image})
        content = image if isinstance(image, bytes) else Path(image).read_bytes()
        return self._json("POST", path, content=content)

    def export(self, run: int, to: str | Path) -> Path:
        """Export the model of a finished run and download it as a ZIP file."""
        path = f"/runs/{run}/export"
        self._json("POST", path)
        self._wait(path)
        return self._download(f"/runs/{run}/model", Path(to))

    # Requests

    def _wait(self, path: str) -> Answer:
        for state in self._changes(path):
            last = state
        if last["state"] != "finished":
            message = "The job failed or was canceled before it finished."
            raise VecafError(last.get("error") or message)
        return last

    def _changes(self, path: str) -> Iterator[Answer]:
        before: Answer = {}
        while True:
            now = self._patiently(lambda: self._json("GET", path))
            if now != before:
                yield now
            if now["state"] in ENDED:
                return
            before = now
            time.sleep(self.poll)

    def _patiently(self, request: Callable[[], Answer]) -> Answer:
        """Repeat a request while the studio is unavailable, for at most two minutes."""
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return request()
            except UnavailableError as error:
                if time.monotonic() > end:
                    raise
                time.sleep(error.seconds if isinstance(error, BusyError) else self.poll)

    def _json(self, method: str, path: str, **options: Any) -> Answer:
        found: Answer = self._send(method, API + path, **options).json()
        return found

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            answer = self._http.request(method, path, **options)
        except httpx.TransportError as error:
            raise self._unreachable(error) from error
        if answer.is_success:
            return answer
        raise error_of(answer)

    def _download(self, path: str, to: Path, query: dict[str, str] | None = None) -> Path:
        try:
            with self._http.stream("GET", API + path, params=query) as answer:
                if not answer.is_success:
                    answer.read()
                    raise error_of(answer)
                with replacing(to) as temporary, temporary.open("wb") as file:
                    for piece in answer.iter_bytes():
                        file.write(piece)
        except httpx.TransportError as error:
            raise self._unreachable(error) from error
        return to

    def _unreachable(self, error: httpx.TransportError) -> UnavailableError:
        reason = str(error) or type(error).__name__
        return UnavailableError(
            f"Can't reach the studio at {self.address} ({reason}). Start it with `vecaf studio`, "
            "or pass its address."
        )
