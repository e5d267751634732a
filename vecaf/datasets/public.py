"""Import public datasets, which torchvision downloads.

The source of such an import is, for example, "torchvision:CIFAR10". torchvision compares the
archives with checksums before reading them, except FGVCAircraft's. CIFAR's files are the only
pickled ones: torchvision loads them, after comparing their MD5 with the one in its source code.
"""

from __future__ import annotations

import io
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from vecaf.datasets.archive import HEAD, HeadCheck, Member
from vecaf.datasets.checked_images import ImportProgress
from vecaf.datasets.folder_layout import Place, Placement
from vecaf.datasets.import_report import ImportReport, Refusal, Refused
from vecaf.datasets.importing import check_name, register
from vecaf.datasets.names import clean_path
from vecaf.errors import InputError, UnavailableError
from vecaf.files import size_of
from vecaf.store import TEST, TRAIN, VAL, Store

PREFIX = "torchvision:"
_CONNECT_SECONDS = 6.0  # until the network counts as unavailable
_STALL_SECONDS = 90.0  # without receiving data
_POLL_SECONDS = 0.5


@dataclass(frozen=True)
class PublicDataset:
    """A dataset of torchvision. `splits` maps the studio's splits to torchvision's arguments."""

    title: str
    site: str  # URL of the server that has the dataset
    images: int
    megabytes: int  # approximate download size
    attribution: str
    splits: Mapping[str | None, Mapping[str, Any]]


def _by_train() -> dict[str | None, Mapping[str, Any]]:
    return {TRAIN: {"train": True}, TEST: {"train": False}}


def _by_split(*names: str) -> dict[str | None, Mapping[str, Any]]:
    ours = {"trainval": TRAIN}
    return {ours.get(name, name): {"split": name} for name in names}


_OXFORD = "https://www.robots.ox.ac.uk"
_TORONTO = "https://www.cs.toronto.edu"
PUBLIC: dict[str, PublicDataset] = {
    "CIFAR10": PublicDataset(
        "CIFAR-10: small photos, 10 classes", _TORONTO, 60_000, 170,
        "CIFAR-10, Krizhevsky 2009", _by_train(),
    ),
    "CIFAR100": PublicDataset(
        "CIFAR-100: small photos, 100 classes", _TORONTO, 60_000, 169,
        "CIFAR-100, Krizhevsky 2009", _by_train(),
    ),
    "DTD": PublicDataset(
        "Describable Textures, 47 classes", _OXFORD, 5_640, 625,
        "Describable Textures Dataset, Cimpoi et al. 2014", _by_split(TRAIN, VAL, TEST),
    ),
    "EuroSAT": PublicDataset(
        "EuroSAT: satellite images, 10 land uses", "https://huggingface.co", 27_000, 94,
        "EuroSAT, Helber et al. 2019", {None: {}},
    ),
    "FashionMNIST": PublicDataset(
        "Fashion-MNIST: gray clothes, 10 classes",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com", 70_000, 31,
        "Fashion-MNIST, Zalando Research, MIT license", _by_train(),
    ),
    "FGVCAircraft": PublicDataset(
        "FGVC-Aircraft, 100 variants", _OXFORD, 10_000, 2_750,
        "FGVC-Aircraft, Maji et al. 2013", _by_split(TRAIN, VAL, TEST),
    ),
    "Flowers102": PublicDataset(
        "Oxford Flowers, 102 classes", _OXFORD, 8_189, 345,
        "Oxford 102 Flowers, Nilsback and Zisserman 2008", _by_split(TRAIN, VAL, TEST),
    ),
    "Food101": PublicDataset(
        "Food-101, 101 dishes", "http://data.vision.ee.ethz.ch", 101_000, 5_000,
        "Food-101, Bossard et al. 2014", _by_split(TRAIN, TEST),
    ),
    "OxfordIIITPet": PublicDataset(
        "Oxford-IIIT Pets, 37 breeds", _OXFORD, 7_349, 811,
        "Oxford-IIIT Pet, Parkhi et al. 2012, CC BY-SA 4.0", _by_split("trainval", TEST),
    ),
    "STL10": PublicDataset(
        "STL-10: photos at 96 pixels, 10 classes", "http://ai.stanford.edu", 13_000, 2_640,
        "STL-10, Coates et al. 2011", _by_split(TRAIN, TEST),
    ),
}  # fmt: skip


def public_dataset(name: str) -> PublicDataset:
    """Return the public dataset with this name. Raises InputError, which lists all names."""
    if name not in PUBLIC:
        known = ", ".join(PUBLIC)
        raise InputError(f"There is no public dataset '{name}'. Choose one of: {known}.")
    return PUBLIC[name]


def import_public(
    store: Store,
    key: str,
    name: str,
    *,
    user_id: int | None = None,
    import_id: int | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    seed: int = 0,
) -> ImportReport:
    """Download the public dataset `key` and import it as `name`.

    Image files stay unchanged; arrays are stored as lossless PNG. Raises the errors of
    `import_dataset`, and UnavailableError, within seconds, if there is no network.
    """
    public = public_dataset(key)
    owner = store.owner() if user_id is None else user_id
    name = check_name(store, owner, name, import_id)
    watch = ImportProgress(progress, should_stop)
    watch.show("Connecting to the download server", 0, 0)
    check_reachable(public.site, key)
    uploads, ours = store.settings.uploads, f"public-{key}-{import_id or 'here'}-"
    uploads.mkdir(parents=True, exist_ok=True)
    for left in uploads.glob(f"{ours}*") if import_id else ():  # left by a killed attempt
        shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=ours, dir=uploads))
    try:
        source = _Downloaded(_download(key, public, folder, watch))
        return register(
            store, source, source.plan, name, owner, f"torchvision's {key}",
            import_id=import_id, watch=watch, seed=seed, attribution=public.attribution,
        )  # fmt: skip
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def check_reachable(site: str, key: str) -> None:
    """Raise UnavailableError, within seconds, if the dataset's server can't be reached.

    The check is an HTTP request, so that it uses a proxy from the environment.
    """
    import httpx

    try:
        httpx.head(site, timeout=_CONNECT_SECONDS)
    except (httpx.HTTPError, OSError) as error:
        raise UnavailableError(
            f"{key} can't be downloaded: {urlsplit(site).hostname} does not answer. Check the "
            "network connection. Or download the images on another machine, put them into a ZIP "
            "file with one folder per class, and upload it."
        ) from error


def _download(
    key: str, public: PublicDataset, folder: Path, watch: ImportProgress
) -> dict[str | None, Any]:
    """Download with torchvision; return its datasets by split of the studio.

    torchvision reports no progress, so the size of the folder is measured instead.
    """
    found: dict[str | None, Any] = {}
    failed: list[Exception] = []

    def work() -> None:
        from torchvision import datasets

        try:
            for split, arguments in public.splits.items():
                found[split] = getattr(datasets, key)(root=folder, download=True, **arguments)
        except Exception as error:
            failed.append(error)

    socket.setdefaulttimeout(_STALL_SECONDS)  # torchvision sets no timeout
    thread = threading.Thread(target=work, daemon=True, name=f"download-{key}")
    thread.start()
    total = public.megabytes
    while thread.is_alive():
        thread.join(_POLL_SECONDS)
        size = size_of(folder)
        done = size // 1_000_000
        if done < total:
            watch.show("Downloading (MB)", done, total)
        else:
            watch.show("Unpacking", 0, 0)
        watch.check()
    if failed:
        raise UnavailableError(
            f"The download of {key} failed: {failed[0]}. Nothing was imported. Try again later."
        ) from failed[0]
    return found


@dataclass
class _Downloaded:
    """A source that reads torchvision's datasets, and the place of each image."""

    datasets: Mapping[str | None, Any]
    members: list[Member] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    plan: Placement = field(default_factory=Placement)
    passed_over: int = 0

    def __post_init__(self) -> None:
        for split, dataset in self.datasets.items():
            labels, paths = _labels(dataset), _paths(dataset)
            for i in range(len(dataset)):
                label = str(dataset.classes[labels[i]])
                stem = Path(paths[i]).name if paths else f"{i:06}.png"
                name = clean_path(f"{split or 'all'}/{label.replace('/', '_')}/{stem}")
                self.members.append(Member(name, (split, i), 0))
                self.plan.places[name] = Place(name, split, label)

    def read(self, member: Member, check_head: HeadCheck, max_bytes: int) -> bytes:
        split, i = cast(tuple[str | None, int], member.key)
        dataset = self.datasets[split]
        paths = _paths(dataset)
        if paths:
            content = Path(paths[i]).read_bytes()
            check_head(content[:HEAD])
            if len(content) > max_bytes:
                raise Refused(
                    f"it is larger than {max_bytes / 2**20:g} MiB, the limit for one file"
                )
            return content
        image, _ = dataset[i]
        buffer = io.BytesIO()
        image.save(buffer, "PNG")
        return buffer.getvalue()

    def close(self) -> None:
        return None


def _labels(dataset: Any) -> list[int]:
    for name in ("targets", "labels", "_labels"):
        if hasattr(dataset, name):
            return [int(label) for label in getattr(dataset, name)]
    raise UnavailableError(
        "This version of torchvision is not supported: the studio can't read the labels of its "
        "datasets. Update VeCAF Studio."
    )


def _paths(dataset: Any) -> list[Any]:
    """Return the image files of a dataset; an empty list if its images are arrays."""
    for name in ("_image_files", "_images"):
        if hasattr(dataset, name):
            return list(getattr(dataset, name))
    return [path for path, _ in getattr(dataset, "samples", ())]
