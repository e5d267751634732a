"""Create the engine that the settings name."""

from __future__ import annotations

from vecaf.engine.protocol import Engine
from vecaf.engine.resources import resources_for
from vecaf.errors import UnavailableError
from vecaf.settings import Settings
from vecaf.store.jobs import KINDS
from vecaf.wording import installation


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
    if settings.engine == "ray":
        try:
            from vecaf.engine.ray_engine import RayEngine
        except ImportError as error:
            raise UnavailableError(
                f"VECAF_ENGINE is ray, but its packages are missing ({error}). "
                f"{installation('cluster')}"
            ) from error
        return RayEngine(settings)
    from vecaf.engine.local import LocalEngine

    return LocalEngine(settings)
