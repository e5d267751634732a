"""What every handler and route needs: settings, store, processes, and the current user."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from vecaf.errors import NotLoggedInError, UnavailableError
from vecaf.settings import Settings
from vecaf.store import Store
from vecaf.store.workers import worker_alive

from .authentication import person_in
from .decoder import Decoder
from .inference import InferenceProcess
from .worker import WorkerProcess

AUTHENTICATION_THREADS = 4


def _authentication_threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(AUTHENTICATION_THREADS, thread_name_prefix="authentication")


@dataclass(frozen=True)
class Studio:
    settings: Settings
    store: Store
    worker: WorkerProcess | None = None  # None if the worker runs elsewhere
    inference: InferenceProcess | None = None  # None if no process answers questions
    accounts: bool = False  # whether users must log in
    decoder: Decoder = field(default_factory=Decoder)
    authentication: ThreadPoolExecutor = field(default_factory=_authentication_threads)

    def user(self, request: object) -> int:
        """Return the id of the user who sent `request`, which is FastAPI's or Gradio's.

        Without accounts this is the local owner.

        Raises
        ------
        NotLoggedInError
            In a studio with accounts, if the request has no login.
        """
        if not self.accounts:
            return self.store.owner()
        person = person_in(request)
        if person is None:
            raise NotLoggedInError("Log in first: this studio requires a login.")
        return person.id

    def running_inference(self) -> InferenceProcess:
        """Return the inference process. Raises UnavailableError if this server has none."""
        if self.inference is None:
            raise UnavailableError(
                "Predictions, suggestions and search are not available: the inference process is "
                "not running. Start the studio with python -m app."
            )
        return self.inference

    def release(self) -> None:
        """End the processes that handlers may wait for."""
        if self.inference is not None:
            self.inference.stop()
        self.decoder.stop()

    def idle(self, session: Session) -> str | None:
        """Return a sentence why jobs are not progressing, or None if a worker is alive."""
        if worker_alive(session):
            return None
        if self.worker is None:
            return (
                "No worker is running, so jobs are waiting. Start a worker: python -m vecaf worker"
            )
        if self.worker.restarts:
            return "The worker ended unexpectedly and is restarting. See the log for the reason."
        return "The worker is starting."
