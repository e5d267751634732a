"""The API through gradio_client."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any, TypeVar

import gradio as gr
from gradio.events import api
from pydantic import TypeAdapter
from starlette.concurrency import run_in_threadpool

from vecaf.errors import InputError, VecafError
from vecaf.store import FINISHED

from ..predict.routes import predict_file
from ..shell.body_limit import IMAGE, MIB
from ..shell.downloads import files_of, prepare
from ..shell.received import image_of
from ..shell.studio import Studio
from . import operations
from .schema import BASE

Result = TypeVar("Result")


def endpoints(studio: Studio) -> None:
    """Register the endpoints. Call this inside a Blocks context.

    Images are sent as base64 text, because Gradio would keep a file in its cache.
    """

    def answer(operation: Callable[[], Any]) -> dict[str, Any]:
        return _raise_as_gradio(lambda: _as_json(operation()))

    def datasets(request: gr.Request) -> dict[str, Any]:
        """List the datasets."""
        return answer(lambda: operations.list_datasets(studio, studio.user(request)))

    def runs(request: gr.Request, before: int | None = None) -> dict[str, Any]:
        """List the newest 100 runs, or the newest 100 before a run."""
        last = None if before is None else _id(before)
        return answer(lambda: operations.list_newest_runs(studio, studio.user(request), last))

    def run(run: int, request: gr.Request) -> dict[str, Any]:
        """Get the state, the progress, and the results of a run."""
        return answer(lambda: operations.get_run(studio, studio.user(request), _id(run)))

    def launch_run(settings: dict[str, Any], request: gr.Request) -> dict[str, Any]:
        """Launch a run; `settings` needs at least "dataset"."""
        return answer(lambda: operations.launch_run(studio, studio.user(request), settings))

    def cancel_run(run: int, request: gr.Request) -> dict[str, Any]:
        """Cancel a run; it keeps its finished rounds."""
        return answer(lambda: operations.cancel_run(studio, studio.user(request), _id(run)))

    async def predict(run: int, image_base64: str, request: gr.Request) -> dict[str, Any]:
        """Predict an image file, sent as base64 text, with the model of a finished run."""
        user = await run_in_threadpool(studio.user, request)
        try:
            async with image_of(studio, _decoded(image_base64)) as path:
                return await predict_file(studio, user, _id(run), path)
        except VecafError as error:
            raise gr.Error(str(error), print_exception=False) from error

    def model_files(run: int, request: gr.Request) -> dict[str, Any]:
        """Start the export of a finished run; return its state and, when finished, its files."""
        run_id, user = _id(run), studio.user(request)

        def export() -> dict[str, Any]:
            status = prepare(studio, user, run_id)
            ready = status["state"] == FINISHED
            files = files_of(studio, user, run_id) if ready else []
            return status | {"files": files, "address": f"{BASE}/runs/{run_id}/model"}

        return _raise_as_gradio(export)

    for function in (datasets, runs, run, launch_run, cancel_run, predict, model_files):
        api(function, api_name=function.__name__, concurrency_limit=4)


def _raise_as_gradio(operation: Callable[[], Result]) -> Result:
    """Call `operation` and raise its VecafError as an error that reaches the client."""
    try:
        return operation()
    except VecafError as error:
        raise gr.Error(str(error), print_exception=False) from error


def _as_json(answer: Any) -> dict[str, Any]:
    kind: type[Any] = type(answer)
    value: dict[str, Any] = TypeAdapter(kind).dump_python(answer, mode="json", by_alias=True)
    return value


def _id(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 2**63:
        message = "The number of a run must be a positive integer. `/runs` lists the numbers."
        raise gr.Error(message, print_exception=False)
    return value


def _decoded(text: object) -> bytes:
    if not isinstance(text, str) or len(text) > IMAGE * 4 // 3 + 4:
        raise InputError(f"The image must be base64 text of at most {IMAGE // MIB} MB.")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputError("The image is not valid base64 text.") from error
