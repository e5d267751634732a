"""Create the engine that the settings name."""

from __future__ import annotations

from vecaf.engine.protocol import Engine
from vecaf.engine.resources import resources_for
from vecaf.settings import Settings
from vecaf.store.jobs import KINDS


def create_engine(settings: Settings) -> Engine:
    """Create the engine of VECAF_ENGINE.

    Raises
    ------
    InputError
        The resources of a kind of job are invalid.
    UnavailableError
        The engine can't work with these settings.
    """
    for kind in KINDS:
        resources_for(settings, kind, {})
    from vecaf.engine.local import LocalEngine

    return LocalEngine(settings)
