"""Every setting, typed, read once from environment variables; limits in one place."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from platformdirs import user_data_path

from vecaf.errors import InputError

GIB = 1024**3


@dataclass(frozen=True)
class Limits:
    """What an upload may hold; each is `VECAF_<NAME>` in the environment.

    The defaults admit ImageNet-sized archives and stop decompression bombs early.
    """

    max_archive_bytes: int = 64 * GIB
    max_expanded_bytes: int = 256 * GIB
    max_ratio: int = 200  # expanded / compressed, of one member; photos stay below 2
    max_members: int = 5_000_000
    max_member_bytes: int = GIB // 4  # one image
    max_pixels: int = 89_478_485  # one image; where Pillow warns of a bomb, and never above it
    max_aspect: int = 200  # longer side / shorter side of one image; panoramas stay below 30
    max_scans: int = 64  # of one JPEG; encoders write at most about 13
    max_scanned_pixels: int = 16 * 89_478_485  # scans × pixels of one JPEG: each scan visits all
    max_metadata_bytes: int = GIB // 2  # metadata.csv or metadata.jsonl, which is read whole


@dataclass(frozen=True)
class Settings:
    """Where things live and how the studio behaves.

    `home` holds everything (images, thumbs, embeddings, runs, the SQLite file);
    `database_url` moves the database elsewhere.
    """

    home: Path
    database_url: str
    device: str = "auto"  # auto, cpu, cuda, cuda:1 …
    precision: str = "float32"  # or "fast": bfloat16 where the device has it
    processes: int = 1  # that train a run together, each on a GPU of its own where there are any
    folders: tuple[Path, ...] = ()  # below these, the page may import from this machine
    login_hours: int = 7 * 24  # after which a password is asked for again, whatever happens
    login_idle_hours: int = 24  # and after so many without a request
    standby_minutes: int = 10  # that a worker keeps a prepared process for the next job; 0: none
    limits: Limits = field(default_factory=Limits)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read VECAF_HOME, DATABASE_URL, VECAF_DEVICE, VECAF_PRECISION, VECAF_FOLDERS,
        VECAF_LOGIN_HOURS, VECAF_LOGIN_IDLE_HOURS, VECAF_STANDBY_MINUTES, the limits.

        Raises InputError for a limit or a number of hours that is not a positive whole number, or
        an unknown precision.
        """
        env = os.environ if environ is None else environ
        home = Path(env.get("VECAF_HOME") or user_data_path("vecaf", appauthor=False))
        home = home.expanduser().absolute()
        precision = env.get("VECAF_PRECISION") or "float32"
        if precision not in ("float32", "fast"):
            raise InputError(f"VECAF_PRECISION is '{precision}'; it can be 'float32' or 'fast'.")
        return cls(
            home=home,
            database_url=env.get("DATABASE_URL") or f"sqlite:///{home / 'studio.db'}",
            device=env.get("VECAF_DEVICE") or "auto",
            precision=precision,
            processes=_whole(env, "VECAF_PROCESSES", cls.processes),
            folders=_folders(env.get("VECAF_FOLDERS") or ""),
            login_hours=_whole(env, "VECAF_LOGIN_HOURS", cls.login_hours),
            login_idle_hours=_whole(env, "VECAF_LOGIN_IDLE_HOURS", cls.login_idle_hours),
            standby_minutes=_whole(env, "VECAF_STANDBY_MINUTES", cls.standby_minutes, least=0),
            limits=_limits(env),
        )

    def as_environment(self) -> dict[str, str]:
        """The variables from which another process reads these same settings."""
        values = {f"VECAF_{item.name.upper()}": getattr(self.limits, item.name)
                  for item in fields(Limits)}  # fmt: skip
        return {name: str(value) for name, value in values.items()} | {
            "VECAF_HOME": str(self.home),
            "DATABASE_URL": self.database_url,
            "VECAF_DEVICE": self.device,
            "VECAF_PRECISION": self.precision,
            "VECAF_PROCESSES": str(self.processes),
            "VECAF_FOLDERS": os.pathsep.join(map(str, self.folders)),
            "VECAF_LOGIN_HOURS": str(self.login_hours),
            "VECAF_LOGIN_IDLE_HOURS": str(self.login_idle_hours),
            "VECAF_STANDBY_MINUTES": str(self.standby_minutes),
        }

    @property
    def images(self) -> Path:
        return self.home / "images"

    @property
    def thumbs(self) -> Path:
        return self.home / "thumbs"

    @property
    def embeddings(self) -> Path:
        return self.home / "embeddings"

    @property
    def runs(self) -> Path:
        return self.home / "runs"

    @property
    def tasks(self) -> Path:
        return self.home / "tasks"

    @property
    def uploads(self) -> Path:
        return self.home / "uploads"


def _folders(text: str) -> tuple[Path, ...]:
    """Absolute paths, parted as PATH is."""
    parts = [part for part in text.split(os.pathsep) if part.strip()]
    return tuple(Path(part).expanduser().absolute() for part in parts)


def _limits(env: Mapping[str, str]) -> Limits:
    usual = Limits()
    values = {
        item.name: _whole(env, f"VECAF_{item.name.upper()}", getattr(usual, item.name))
        for item in fields(Limits)
    }
    return Limits(**values)


def _whole(env: Mapping[str, str], name: str, usual: int, *, least: int = 1) -> int:
    text = env.get(name)
    if not text:
        return usual
    if not text.isdigit() or int(text) < least:
        what = "a positive whole number" if least else "a whole number, 0 or more"
        raise InputError(f"{name} is '{text}'; it must be {what}.")
    return int(text)
