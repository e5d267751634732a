"""The list of runs: filters, other names, deletion."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from app.runs.page import _act, _list
from app.shell.studio import Studio
from vecaf.errors import InputError, NotFoundError
from vecaf.store import FAILED, FINISHED, QUEUED, Dataset, Run
from vecaf.store.run_tags import all_tags
from vecaf.store.runs import run_summary


def add_run(studio: Studio, dataset: str, state: str) -> int:
    with studio.store.write() as session:
        owner = studio.store.owner()
        found = session.scalars(sa.select(Dataset).where(Dataset.name == dataset)).one()
        run = Run(
            owner_id=owner, dataset_id=found.id, name=f"{dataset} {state}", seed=0,
            config={"dataset": dataset}, state=state,
        )  # fmt: skip
        session.add(run)
        session.flush()
        (studio.settings.runs / str(run.id)).mkdir(parents=True)
        return run.id


def test_runs_are_filtered_renamed_and_deleted(studio: Studio) -> None:
    user = studio.store.owner()
    done, failed, waiting = (add_run(studio, "pets", s) for s in (FINISHED, FAILED, QUEUED))

    def listed(**values: str) -> str:
        return _list(studio, user, values).top

    assert "pets failed" in listed() and "pets finished" in listed()
    only = listed(state="failed")
    assert "pets failed" in only and "pets finished" not in only
    assert "No run matches" in listed(dataset="99999")

    _act(studio, user, {"act": "rename", "run": str(done), "name": "  my   best run "})
    assert "my best run" in listed()
    with pytest.raises(InputError, match="Enter a name"):
        _act(studio, user, {"act": "rename", "run": str(done), "name": " "})

    _act(studio, user, {"act": "tag", "runs": str(done), "tags": " night shift, a%b,, a%b"})
    _act(studio, user, {"act": "tag", "runs": f"{done},{failed}", "tags": "to show"})
    tagged = listed(tag="to show")
    assert "my best run" in tagged and "pets failed" in tagged and "pets queued" not in tagged
    assert "pets failed" not in listed(tag="a%b") and "my best run" in listed(tag="a%b")
    assert "No run matches" in listed(tag="night") and "No run matches" in listed(tag="%")
    with studio.store.read() as session:
        assert all_tags(session, user) == ["a%b", "night shift", "to show"]
        assert run_summary(session, user, done).tags == ("night shift", "a%b", "to show")
    _act(studio, user, {"act": "tag", "runs": str(done), "tags": ""})
    assert "my best run" not in listed(tag="a%b")
    with pytest.raises(InputError, match="longer than 40"):
        _act(studio, user, {"act": "tag", "runs": str(done), "tags": "x" * 41})
    with pytest.raises(InputError, match="at most 10 tags"):
        _act(studio, user, {"act": "tag", "runs": str(done), "tags": "a,b,c,d,e,f,g,h,i,j,k"})

    with pytest.raises(InputError, match="has ended"):
        _act(studio, user, {"act": "delete", "runs": str(waiting)})
    _act(studio, user, {"act": "delete", "runs": f"{done},{failed}"})
    assert "my best run" not in listed() and "pets failed" not in listed()
    assert not (studio.settings.runs / str(done)).exists()
    assert (studio.settings.runs / str(waiting)).exists()
    with pytest.raises(NotFoundError):
        _act(studio, user, {"act": "delete", "runs": str(done)})
