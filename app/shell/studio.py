"""What every handler and route needs: the settings, the store, and who is asking."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from app.shell.authentication import person_in
from app.shell.decoder import Decoder
from app.shell.inference import DeskKeeper
from app.shell.worker import WorkerKeeper
from vecaf.errors import NotLoggedInError
from vecaf.settings import Settings
from vecaf.store import Store
from vecaf.store.workers import worker_alive

AUTHENTICATION_THREADS = 4


def _authentication_threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(AUTHENTICATION_THREADS, thread_name_prefix="authentication")


@dataclass(frozen=True)
class Studio:
    settings: Settings
    store: Store
    keeper: WorkerKeeper | None = None  # None where the worker is somebody else's business
    desk: DeskKeeper | None = None  # None where nothing that needs a model is asked
    accounts: bool = False  # whether people log in
    decoder: Decoder = field(default_factory=Decoder)
    authentication: ThreadPoolExecutor = field(default_factory=_authentication_threads)

    def user(self, request: object) -> int:
        """The id of whoever sent `request` (a FastAPI or a Gradio one).

        Without accounts that is the local owner. Raises NotLoggedInError where they are on and the
        request did not come through the door (app.shell.authentication) with a login.
        """
        if not self.accounts:
            return self.store.owner()
        person = person_in(request)
        if person is None:
            raise NotLoggedInError("Log in first: this studio has accounts.")
        return person.id

    def release(self) -> None:
        """End the processes that handlers wait for."""
        if self.desk is not None:
            self.desk.stop()
        self.decoder.stop()

    def idle(self, session: Session) -> str | None:
        """Why nothing is being worked on, as a sentence; None while a worker is alive."""
        if worker_alive(session):
            return None
        if self.keeper is None:
            return (
                "No worker is running, so nothing is being worked on. Start one: "
                "python -m vecaf worker"
            )
        if self.keeper.restarts:
            return "The worker ended unexpectedly and is being started again; the log says why."
        return "The worker is starting; this goes on in a moment."
