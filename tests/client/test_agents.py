"""The MCP server, through the client library `mcp`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from mcp import Client as Agent

import vecaf
from app.server import build
from app.shell.studio import Studio
from tests.client.bridge import Bridge, work
from tests.finished import new_studio
from tests.waiting import result_of
from vecaf.accounts.users import add_user
from vecaf.client.agents import mcp_server
from vecaf.datasets import import_dataset
from vecaf.store import Store

BASE = "http://127.0.0.1:7860"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return new_studio(tmp_path_factory.mktemp("home"), count=60)


def ask(client: vecaf.Client, steps: Callable[[Agent], Awaitable[None]]) -> None:
    async def session() -> None:
        async with Agent(mcp_server(client)) as agent:
            await steps(agent)

    result_of(session())


async def call(agent: Agent, tool: str, **arguments: Any) -> Any:
    answer = await agent.call_tool(tool, arguments)
    assert not answer.is_error, answer.content
    return answer.structured_content


def test_an_agent_labels_and_trains(store: Store) -> None:
    with TestClient(build(Studio(store.settings, store)), base_url=BASE) as inner:
        client = vecaf.Client(transport=Bridge(inner, lambda: work(store)), poll=0.01)

        async def steps(agent: Agent) -> None:
            tools = (await agent.list_tools()).tools
            assert {tool.name for tool in tools} == {
                "list_datasets", "select_images", "request_labels", "check_labels", "launch_run",
                "follow_run", "predict",
            }  # fmt: skip
            assert all(tool.description and tool.input_schema["properties"] is not None
                       for tool in tools)  # fmt: skip
            datasets = (await call(agent, "list_datasets"))["datasets"]
            assert [one["name"] for one in datasets] == ["shapes"]
            found = await call(
                agent, "select_images", dataset="shapes", budget="6", strategy="typiclust"
            )
            assert (found["selected"], len(found["images"])) == (6, 6)
            request = await call(
                agent, "request_labels", selection=found["selection"], name="from an agent"
            )
            assert request["page"].startswith(f"{BASE}/label?dataset=")
            counted = await call(agent, "check_labels", request=request["request"])
            assert (counted["images"], counted["labeled"]) == (6, 6)
            settings = {"subset": "from an agent", "rounds": 1, "epochs": 2}
            run = await call(agent, "launch_run", dataset="shapes", settings=settings)
            state = await call(agent, "follow_run", run=run["run"], seconds=60)
            assert state["state"] == "finished" and state["results"][0]["labeled"] == 6
            # Prediction needs the inference process, which this studio does not have.
            answer = await agent.call_tool("predict", {"run": run["run"], "image": 1})
            assert answer.is_error and "inference process is not running" in str(answer.content)

        ask(client, steps)


@pytest.mark.parametrize(
    ("tool", "arguments", "words"),
    [
        ("launch_run", {"dataset": "nothing"}, "no dataset called 'nothing'"),
        ("launch_run", {"dataset": "shapes", "settings": {"evil": 1}}, "Unknown setting 'evil'"),
        ("follow_run", {"run": 999}, "no run 999"),
        ("predict", {"run": 1}, "Give either the path"),
        ("predict", {"run": 1, "path": __file__}, "it is not a JPEG"),
        ("select_images", {"dataset": "shapes", "budget": "many"}, "budget"),
    ],
)
def test_an_agent_reads_what_is_wrong(
    store: Store, tool: str, arguments: dict[str, Any], words: str
) -> None:
    with TestClient(build(Studio(store.settings, store)), base_url=BASE) as inner:

        async def steps(agent: Agent) -> None:
            answer = await agent.call_tool(tool, arguments)
            assert answer.is_error and words in str(answer.content), answer.content

        ask(vecaf.Client(transport=Bridge(inner)), steps)


def test_an_agent_sees_only_what_its_user_sees(store: Store, tmp_path: Path) -> None:
    with store.write() as session:
        anna = add_user(session, "anna", "a password of many words").id
    import_dataset(store, store.settings.home / "drawn", "annas", user_id=anna)
    with TestClient(build(Studio(store.settings, store, accounts=True)), base_url=BASE) as inner:
        client = vecaf.Client(BASE, "anna", "a password of many words", transport=Bridge(inner))

        async def steps(agent: Agent) -> None:
            datasets = (await call(agent, "list_datasets"))["datasets"]
            assert [one["name"] for one in datasets] == ["annas"]
            answer = await agent.call_tool("launch_run", {"dataset": "shapes"})
            assert answer.is_error and "no dataset called 'shapes'" in str(answer.content)

        ask(client, steps)
