"""The Jobs API of a Ray cluster. Every problem becomes a sentence for users.

Import it only for the engine `ray`: it needs the extra packages of requirements-cluster.txt.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import ray
import requests
from ray.exceptions import AuthenticationError
from ray.job_submission import JobDetails, JobSubmissionClient
from ray.util.state import list_nodes
from ray.util.state.common import NodeState
from ray.util.state.exception import RayStateApiException

from vecaf.errors import InputError, UnavailableError, first_line

LOOPBACK = ("127.0.0.1", "localhost", "::1")
TIMEOUT_SECONDS = 30.0
EXAMPLE = "http://HEAD:8265"
ADVICE = f"Set RAY_ADDRESS to the dashboard of the cluster's head node, such as {EXAMPLE}."


def cluster_address() -> str:
    """Return RAY_ADDRESS, checked.

    Raises
    ------
    InputError
        It is missing or not an HTTP address, or the cluster accepts jobs from anyone.
    """
    address = os.environ.get("RAY_ADDRESS", "").rstrip("/")
    if not address:
        raise InputError(f"VECAF_ENGINE is ray, but RAY_ADDRESS is not set. {ADVICE}")
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(f"RAY_ADDRESS is '{address}', which is not an HTTP address. {ADVICE}")
    if not is_loopback(address) and os.environ.get("RAY_AUTH_MODE") != "token":
        raise InputError(
            f"The Ray cluster at {address} would accept jobs from anyone on its network. Start "
            "its nodes and the worker with RAY_AUTH_MODE=token and the same RAY_AUTH_TOKEN."
        )
    return address


def is_loopback(address: str) -> bool:
    """Return whether an address is on this machine."""
    return urlsplit(address).hostname in LOOPBACK


class RayClient:
    """Submits, lists and stops jobs. Every method raises UnavailableError if it can't."""

    def __init__(self, address: str) -> None:
        """Connect to the cluster. Raises UnavailableError, also if it has another version."""
        self.address = address
        with self._explained():
            self._jobs = _Client(address)
        version = self._jobs.cluster_version
        if version != ray.__version__:
            raise UnavailableError(
                f"The Ray cluster at {address} has version {version}, but this installation has "
                f"{ray.__version__}. Install the same version on both."
            )

    def submit(self, submission_id: str, entrypoint: str, **options: Any) -> None:
        """Submit a job, unless a job with this id was submitted before."""
        with self._explained():
            try:
                self._jobs.submit_job(submission_id=submission_id, entrypoint=entrypoint, **options)
            except RuntimeError as error:
                if "already exists" not in str(error):
                    raise

    def jobs(self) -> list[JobDetails]:
        """List the jobs that were submitted through the Jobs API."""
        with self._explained():
            return [job for job in self._jobs.list_jobs() if job.submission_id]

    def job(self, submission_id: str) -> JobDetails:
        with self._explained():
            return self._jobs.get_job_info(submission_id)

    def stop(self, submission_id: str) -> None:
        with self._explained():
            self._jobs.stop_job(submission_id)

    def delete(self, submission_id: str) -> None:
        """Delete the record of a job that has ended."""
        with self._explained():
            self._jobs.delete_job(submission_id)

    def log_of(self, submission_id: str) -> str:
        with self._explained():
            return str(self._jobs.get_job_logs(submission_id))

    def nodes(self) -> list[NodeState]:
        """List the nodes that are alive."""
        with self._explained():
            return list(
                list_nodes(
                    address=self.address,
                    filters=[("state", "=", "ALIVE")],
                    detail=True,
                    limit=10_000,
                    timeout=int(TIMEOUT_SECONDS),
                    raise_on_missing_output=False,  # it is raised for nodes that are dead, too
                )
            )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except AuthenticationError as error:
            raise UnavailableError(
                f"The Ray cluster at {self.address} rejected the token. Start the worker with "
                "RAY_AUTH_MODE=token and the RAY_AUTH_TOKEN of the cluster."
            ) from error
        except (ConnectionError, requests.exceptions.RequestException) as error:
            raise UnavailableError(
                f"The Ray cluster at {self.address} can't be reached. Check that its head node "
                f"is running. {ADVICE}"
            ) from error
        except (RuntimeError, RayStateApiException) as error:
            raise UnavailableError(
                f"The Ray cluster at {self.address} could not answer ({first_line(error)}). Check "
                "it with `ray status`."
            ) from error


class _Client(JobSubmissionClient):
    """A client whose requests have a timeout."""

    def _do_request(self, method: str, endpoint: str, **options: Any) -> requests.Response:
        options.setdefault("timeout", TIMEOUT_SECONDS)
        found: requests.Response = super()._do_request(method, endpoint, **options)
        return found

    @property
    def cluster_version(self) -> str:
        return str(self._server_ray_version)
