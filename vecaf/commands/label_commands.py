"""Commands that label images with a model."""

from __future__ import annotations

from typing import Annotated

import typer

from vecaf.commands.application import Json, app, open_store
from vecaf.commands.output import print_result
from vecaf.errors import InputError


@app.command("label-rest")
def label_rest(
    run: Annotated[int, typer.Argument(help="Number of the run. `runs` lists the numbers.")],
    max_error: Annotated[
        str, typer.Option(help="Acceptable share of wrong labels, such as 2%.")
    ] = "2%",
    confidence: Annotated[
        str,
        typer.Option(help="Confidence, such as 90%, that the error rate is at most --max-error."),
    ] = "90%",
    apply: Annotated[
        bool, typer.Option("--apply", help="Save the labels. Without it, nothing changes.")
    ] = False,
    json: Json = False,
) -> None:
    """Label the unlabeled images of the pool with the model of a run, with a bounded error rate.

    The command checks the model on the labeled images of the random test sample. With --apply, it
    also saves a selection of the images that the model can't label within the bound, sorted by
    confidence, lowest first.
    """
    from vecaf.runs.label_rest import apply_labels, plan_labels

    store, user = open_store()
    shares = {"max_error": _share(max_error), "confidence": _share(confidence)}
    plan = plan_labels(store, user, run, **shares)
    edit, left = None, ""
    lines = [plan.sentence()]
    if apply and plan.guarantee is not None:
        with store.write() as session:
            edit, left = apply_labels(session, user, plan)
        lines.append("The labels are saved. You can undo them in the dataset's history.")
        if left:
            lines.append(f"The other images are saved as the selection '{left}'.")
    elif plan.guarantee is not None and len(plan.ids):
        lines.append("To label them, add --apply.")
    payload = plan.as_dict() | {"applied": edit is not None, "edit": edit, "selection": left}
    print_result(payload, "\n".join(lines), json)


def _share(text: str) -> float:
    """Parse '2%' or '0.02'. Raises InputError."""
    stripped = text.strip()
    try:
        value = float(stripped.removesuffix("%"))
    except ValueError:
        raise InputError(f"'{text}' is not a percentage. Enter one such as 2%.") from None
    return value / 100 if stripped.endswith("%") else value
