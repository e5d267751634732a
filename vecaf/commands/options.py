"""A configuration's fields as command-line options: the dataclass is their only source."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import Field, fields
from inspect import Parameter, Signature
from typing import Annotated, Any

import typer


def with_options_of(
    config: type[Any],
    function: Callable[..., None],
    *,
    arguments: Mapping[str, Any],
    flags: Mapping[str, Any],
    options: Mapping[str, tuple[Any, Any]] | None = None,
    without: Collection[str] = (),
) -> Callable[..., None]:
    """A command for Typer that calls `function` with every field of the dataclass `config`.

    `arguments` (name → annotation) come first, then `options` (name → annotation and default); both
    replace the fields of the same name. `flags` come last and are off unless given. Fields named in
    `without` are left out. Help, bounds and choices are the fields' metadata.
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
    text = meta["help"] + (f" [{' | '.join(meta['choices'])}]" if meta["choices"] else "")
    option = typer.Option(
        help=text,
        min=meta["minimum"],
        max=meta["maximum"],
        rich_help_panel="Advanced" if meta["advanced"] else None,
    )
    return Annotated[type(item.default), option]


def _keyword(name: str, annotation: Any, default: Any = Parameter.empty) -> Parameter:
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
