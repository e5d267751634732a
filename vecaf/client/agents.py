"""An MCP server: tools with which an agent uses a studio, through `Client`.

The server authenticates as one user of the studio and can do only what this user can do.

References
----------
Model Context Protocol, https://modelcontextprotocol.io
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from functools import partial, wraps
from typing import Annotated, Any

from anyio import to_thread
from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations
from pydantic import Field

from vecaf.client.http import ENDED, Answer, Client
from vecaf.config import RunConfig
from vecaf.errors import InputError, VecafError

INSTRUCTIONS = (
    "Finetune image classifiers with few labels. List the datasets, select the images that are "
    "most worth labeling, request labels for them, launch a run, follow it, and predict images "
    "with its model. People label images on the page that request_labels returns."
)
MOST_IMAGES = 100
LONGEST_SECONDS = 600.0
READS = ToolAnnotations(read_only_hint=True)
STARTS = ToolAnnotations(destructive_hint=False)

Dataset = Annotated[str, Field(description="Name of the dataset.")]
Budget = Annotated[
    str, Field(description='Images to select: a count, or a share of the pool such as "5%".')
]
Strategy = Annotated[str, Field(description="How to select: vecaf, activeft, typiclust, random, …")]
RunNumber = Annotated[int, Field(description="Number of the run.", ge=1)]


def mcp_server(studio: Client) -> MCPServer:
    """Build the server with its tools."""
    server = MCPServer("vecaf-studio", title="VeCAF Studio", instructions=INSTRUCTIONS)
    for function, hints in (
        (list_datasets, READS),
        (select_images, STARTS),
        (request_labels, STARTS),
        (check_labels, READS),
        (launch_run, STARTS),
        (follow_run, READS),
        (predict, READS),
    ):
        server.tool(annotations=hints)(_tool(function, studio))
    return server


def _tool(function: Callable[..., Answer], studio: Client) -> Callable[..., Any]:
    """Return `function` without its first parameter, the studio, as a coroutine function.

    It runs in a thread, so that the server answers other requests meanwhile. The agent gets the
    message of a VecafError; other errors reach only the log.
    """
    bound = partial(function, studio)

    @wraps(function)
    async def tool(**arguments: Any) -> Answer:
        try:
            return await to_thread.run_sync(partial(bound, **arguments))
        except VecafError as error:
            raise ToolError(str(error)) from error

    signature = inspect.signature(function, eval_str=True)
    parameters = list(signature.parameters.values())[1:]
    del tool.__wrapped__
    tool.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    tool.__annotations__ = {one.name: one.annotation for one in parameters} | {"return": Answer}
    return tool


def list_datasets(studio: Client) -> Answer:
    """List the datasets with their numbers of images and classes."""
    return {"datasets": studio.datasets()}


def select_images(
    studio: Client,
    dataset: Dataset,
    budget: Budget,
    strategy: Strategy = RunConfig.strategy,
    seed: Annotated[int, Field(description="Random seed.", ge=0)] = 0,
    run: Annotated[
        int | None, Field(description="A run whose model scores the images.", ge=1)
    ] = None,
) -> Answer:
    """Select the images that are most worth labeling. Returns the first 100 of them."""
    more = {} if run is None else {"run": run}
    found = studio.select(dataset, budget, strategy=strategy, seed=seed, **more)
    images = found["images"]
    return {
        "selection": found["selection"],
        "selected": len(images),
        "unlabeled": sum(one["label"] is None for one in images),
        "images": images[:MOST_IMAGES],
    }


def request_labels(
    studio: Client,
    selection: Annotated[int, Field(description="Number of the selection.", ge=1)],
    name: Annotated[str, Field(description="A name for the saved selection.")],
) -> Answer:
    """Ask people to label the images of a selection. Give them the address in `page`."""
    return _with_address(studio, studio.request_labels(selection, name))


def check_labels(
    studio: Client, request: Annotated[int, Field(description="Number of the request.", ge=1)]
) -> Answer:
    """Count the images of a label request that people have labeled."""
    return _with_address(studio, studio.label_request(request))


def launch_run(
    studio: Client,
    dataset: Dataset,
    settings: Annotated[
        dict[str, Any],
        Field(
            description="Settings of the run by name, such as budget, rounds, strategy, mode, and "
            "subset, the name of a saved selection. All have defaults."
        ),
    ] = {},  # noqa: B006
) -> Answer:
    """Launch a run, which selects images, trains, and evaluates, round by round."""
    return studio.run(dataset, **settings)


def follow_run(
    studio: Client,
    run: RunNumber,
    seconds: Annotated[
        float, Field(description="How long to wait.", ge=0, le=LONGEST_SECONDS)
    ] = 60.0,
) -> Answer:
    """Wait until a run ends, but at most `seconds`. Returns its state and its results."""
    end = time.monotonic() + seconds
    while (state := studio.run_state(run))["state"] not in ENDED and time.monotonic() < end:
        time.sleep(min(studio.poll, max(0.0, end - time.monotonic())))
    return state


def predict(
    studio: Client,
    run: RunNumber,
    path: Annotated[str, Field(description="Path of an image file on this machine.")] = "",
    image: Annotated[int | None, Field(description="Id of an image of a dataset.", ge=1)] = None,
) -> Answer:
    """Predict the class of an image with the model of a finished run."""
    if bool(path) == (image is not None):
        raise InputError("Give either the path of an image file or the id of an image.")
    return studio.predict(run, path if image is None else image)


def _with_address(studio: Client, request: Answer) -> Answer:
    return request | {"page": studio.address + request["page"]}
