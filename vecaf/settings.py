"""Settings and limits of the studio, read from environment variables."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from platformdirs import user_data_path

from vecaf.errors import InputError

GIB = 1024**3
ENGINES = ("local", "ray")


@dataclass(frozen=True)
class Limits:
    """Limits on imports. The environment variable `VECAF_<NAME>` sets each of them.

    The defaults allow archives of ImageNet's size and stop decompression bombs early.
    """

    max_archive_bytes: int = 64 * GIB
    max_expanded_bytes: int = 256 * GIB
    max_ratio: int = 200  # expanded size / compressed size of a file; photos stay below 2
    max_members: int = 5_000_000
    max_member_bytes: int = GIB // 4  # per image
    max_pixels: int = 89_478_485  # per image; Pillow's own limit, which also applies
    max_aspect: int = 200  # longer side / shorter side of an image; panoramas stay below 30
    max_scans: int = 64  # per JPEG; encoders write at most about 13
    max_scanned_pixels: int = 16 * 89_478_485  # scans × pixels of a JPEG
    max_metadata_bytes: int = GIB // 2  # metadata.csv or metadata.jsonl, which is read into memory


@dataclass(frozen=True)
class Settings:
    """The settings of a process.

    `home` holds all data: images, thumbnails, embeddings, runs and the SQLite file.
    `database_url` can name another database.
    """

    home: Path
    database_url: str
    device: str = "auto"  # auto, cpu, cuda, cuda:1 …
    precision: str = "float32"  # or "fast": bfloat16 if the device supports it
    processes: int = 1  # per training run, each on its own GPU if there are enough
    folders: tuple[Path, ...] = ()  # server folders that users can import from
    weights: tuple[Path, ...] = ()  # folders with weights of models, found by name
    login_hours: int = 7 * 24  # until a login expires
    login_idle_hours: int = 24  # until a login expires without requests
    engine: str = "local"  # executes jobs: local (this machine) or ray (a cluster)
    run_resources: str = ""  # "cpus=4 gpus=1 memory=16", for an engine that places jobs
    import_resources: str = ""
    task_resources: str = ""
    autoscaling: bool = False  # the cluster starts nodes for jobs that wait
    standby_minutes: int = 10  # that a worker keeps a warm process for the next job; 0: none
    embed_on_import: bool = True  # compute the embeddings of a new dataset in the background
    limits: Limits = field(default_factory=Limits)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read the settings from environment variables (default: those of this process).

        The variables are DATABASE_URL, and VECAF_<NAME> for each other field and limit.

        Raises
        ------
        InputError
            A number is not a whole number in its range, a switch is not 0 or 1, or the precision is
            unknown.
        """
        env = os.environ if environ is None else environ
        home = Path(env.get("VECAF_HOME") or user_data_path("vecaf", appauthor=False))
        home = home.expanduser().absolute()
        precision = env.get("VECAF_PRECISION") or "float32"
        if precision not in ("float32", "fast"):
            raise InputError(f"VECAF_PRECISION is '{precision}'. Set it to 'float32' or 'fast'.")
        engine = env.get("VECAF_ENGINE") or cls.engine
        if engine not in ENGINES:
            raise InputError(f"VECAF_ENGINE is '{engine}'. Set it to 'local' or 'ray'.")
        return cls(
            home=home,
            engine=engine,
            database_url=env.get("DATABASE_URL") or f"sqlite:///{home / 'studio.db'}",
            device=env.get("VECAF_DEVICE") or "auto",
            precision=precision,
            processes=_whole(env, "VECAF_PROCESSES", cls.processes),
            folders=_folders(env.get("VECAF_FOLDERS") or ""),
            weights=_folders(env.get("VECAF_WEIGHTS") or ""),
            login_hours=_whole(env, "VECAF_LOGIN_HOURS", cls.login_hours),
            login_idle_hours=_whole(env, "VECAF_LOGIN_IDLE_HOURS", cls.login_idle_hours),
            run_resources=env.get("VECAF_RUN_RESOURCES") or "",
            import_resources=env.get("VECAF_IMPORT_RESOURCES") or "",
            task_resources=env.get("VECAF_TASK_RESOURCES") or "",
            autoscaling=_flag(env, "VECAF_AUTOSCALING", cls.autoscaling),
            standby_minutes=_whole(env, "VECAF_STANDBY_MINUTES", cls.standby_minutes, minimum=0),
            embed_on_import=_flag(env, "VECAF_EMBED_ON_IMPORT", cls.embed_on_import),
            limits=_limits(env),
        )

    def as_environment(self) -> dict[str, str]:
        """Return environment variables that give another process the same settings."""
        values = {f"VECAF_{item.name.upper()}": getattr(self.limits, item.name)
                  for item in fields(Limits)}  # fmt: skip
        return {name: str(value) for name, value in values.items()} | {
            "VECAF_HOME": str(self.home),
            "DATABASE_URL": self.database_url,
            "VECAF_DEVICE": self.device,
            "VECAF_PRECISION": self.precision,
            "VECAF_PROCESSES": str(self.processes),
            "VECAF_FOLDERS": os.pathsep.join(map(str, self.folders)),
            "VECAF_WEIGHTS": os.pathsep.join(map(str, self.weights)),
            "VECAF_LOGIN_HOURS": str(self.login_hours),
            "VECAF_LOGIN_IDLE_HOURS": str(self.login_idle_hours),
            "VECAF_ENGINE": self.engine,
            "VECAF_RUN_RESOURCES": self.run_resources,
            "VECAF_IMPORT_RESOURCES": self.import_resources,
            "VECAF_TASK_RESOURCES": self.task_resources,
            "VECAF_AUTOSCALING": str(int(self.autoscaling)),
            "VECAF_STANDBY_MINUTES": str(self.standby_minutes),
            "VECAF_EMBED_ON_IMPORT": str(int(self.embed_on_import)),
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
    """Parse paths separated like PATH, and make them absolute."""
    parts = [part for part in text.split(os.pathsep) if part.strip()]
    return tuple(Path(part).expanduser().absolute() for part in parts)


def _limits(env: Mapping[str, str]) -> Limits:
    defaults = Limits()
    values = {
        item.name: _whole(env, f"VECAF_{item.name.upper()}", getattr(defaults, item.name))
        for item in fields(Limits)
    }
    return Limits(**values)


def _flag(env: Mapping[str, str], name: str, default: bool) -> bool:
    text = env.get(name) or str(int(default))
    if text not in ("0", "1"):
        raise InputError(f"{name} is '{text}'. Set it to 1 (on) or 0 (off).")
    return text == "1"


def _whole(env: Mapping[str, str], name: str, default: int, *, minimum: int = 1) -> int:
    text = env.get(name)
    if not text:
        return default
    if not text.isdigit() or int(text) < minimum:
        raise InputError(f"{name} is '{text}'. Set it to a whole number of at least {minimum}.")
    return int(text)
