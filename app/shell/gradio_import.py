"""Import Gradio without its work on type stubs, which it repeats at every import."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def without_type_stubs() -> Iterator[None]:
    """Let an import of Gradio skip its type stubs (.pyi), which takes a third of its time.

    Gradio parses the source file of each component class and compares it with a stub. It skips
    classes whose file is unknown.
    """
    found = inspect.getfile

    def getfile(object: Any) -> str:  # the name in `inspect`
        if type(object).__name__ == "ComponentMeta":
            raise OSError("no type stubs")
        return found(object)

    inspect.getfile = getfile
    try:
        yield
    finally:
        inspect.getfile = found
