"""Build a command whose options are the fields of a configuration dataclass."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import Field, fields
from inspect import Parameter, Signature
from typing import Annotated, Any

import typer


def command_with_config(
    config: type[Any],
    function: Callable[..., None],
    *,
    arguments: Mapping[str, Any],
    flags: Mapping[str, Any],
    options: Mapping[str, tuple[Any, Any]] | None = None,
    without: Collection[str] = (),
) -> Callable[..., None]:
    """Wrap `function` in a Typer command with one option per field of `config`.

    Help texts, bounds, and choices come from the metadata of the fields.

    Parameters
    ----------
    config
        The dataclass.
    function
        Called with all values as keyword arguments.
    arguments
        Annotation by name. They come first and replace fields of the same name.
    flags
        Annotation by name. They come last and default to False.
    options
        Annotation and default by name. They replace fields of the same name.
    without
        Names of fields to leave out.
    """
    more = options or {}
    parameters = [_keyword(name, annotation) for name, annotation in arguments.items()]
    parameters += [_keyword(name, *option) for name, option in more.items()]
    parameters += [
        _keyword(item.name, _annotation(item), item.default)
        for item in fields(config)
        if item.name not in {*arguments, *more, *without}
    ]
    parameters += [_keyword(name, annotation, False) for name, annotation in flags.items()]

    def command(**values: Any) -> None:
        function(**values)

    command.__name__, command.__doc__ = function.__name__, function.__doc__
    command.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in parameters}
    return command


def _annotation(item: Field[Any]) -> Any:
    meta = item.metadata
    text = meta["help"] + (f" One of: {', '.join(meta['choices'])}." if meta["choices"] else "")
    option = typer.Option(
        help=text,
        min=meta["minimum"],
        max=meta["maximum"],
        rich_help_panel="Advanced" if meta["advanced"] else None,
    )
    return Annotated[type(item.default), option]


def _keyword(name: str, annotation: Any, default: Any = Parameter.empty) -> Parameter:
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
