"""The embedding cache: no image is embedded twice, no finished row lost, no damaged one used."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tests.encoders.samples import Stored, settings_in, store_images, weights_of_timm
from vecaf.encoders import PVM, embed, embed_images, fingerprint, load_pvm
from vecaf.encoders.cache import EmbeddingSet, digests_of, gather
from vecaf.errors import CanceledError, InputError
from vecaf.settings import Settings

COUNT = 60
SHARD = 16


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def pvm(folder: Path) -> PVM:
    return load_pvm(f"test_resnet@{weights_of_timm(folder, 'test_resnet')}", 64)


@pytest.fixture(scope="module")
def stored(folder: Path) -> Stored:
    return store_images(folder / "images", COUNT)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(embed, "ROWS_PER_SHARD", SHARD)
    return settings_in(tmp_path)


class Counting:
    """A path_of that counts the images that are read."""

    def __init__(self, path_of: Callable[[str], Path]) -> None:
        self.path_of, self.asked = path_of, list[str]()

    def __call__(self, key: str) -> Path:
        self.asked.append(key)
        return self.path_of(key)


def set_folder(settings: Settings) -> Path:
    (only,) = settings.embeddings.iterdir()
    return only


def test_second_call_reads_no_image(pvm: PVM, stored: Stored, settings: Settings) -> None:
    keys, path_of = stored
    counting = Counting(path_of)
    progress = []
    first = embed_images(
        pvm, keys, counting, settings=settings, progress=lambda *at: progress.append(at)
    )
    assert len(counting.asked) == COUNT
    assert progress[-1] == (COUNT, COUNT)
    assert [done for done, _ in progress] == sorted({done for done, _ in progress})
    again = embed_images(pvm, keys, counting, settings=settings)
    assert len(counting.asked) == COUNT
    assert np.array_equal(first, again)
    facts = json.loads((set_folder(settings) / "set.json").read_text())
    assert facts["weights_sha256"] == pvm.weights_sha256
    assert facts["preprocessing"]["image_size"] == 64


def test_only_new_images_are_embedded(pvm: PVM, stored: Stored, settings: Settings) -> None:
    keys, path_of = stored
    embed_images(pvm, keys[:40], path_of, settings=settings)
    counting = Counting(path_of)
    rows = embed_images(pvm, keys, counting, settings=settings)
    assert counting.asked == keys[40:]
    assert rows.shape == (COUNT, pvm.feature_dim)


def test_permuted_and_repeated_keys(pvm: PVM, stored: Stored, settings: Settings) -> None:
    keys, path_of = stored
    counting = Counting(path_of)
    doubled = keys[:10] + keys[:10]
    rows = embed_images(pvm, doubled, counting, settings=settings)
    assert counting.asked == keys[:10]
    assert np.array_equal(rows[:10], rows[10:])
    every = embed_images(pvm, keys, path_of, settings=settings)
    order = np.random.default_rng(0).permutation(COUNT)
    permuted = embed_images(pvm, [keys[i] for i in order], path_of, settings=settings)
    assert np.array_equal(permuted, every[order])


def test_a_cancellation_keeps_finished_rows(pvm: PVM, stored: Stored, settings: Settings) -> None:
    keys, path_of = stored
    done = []
    with pytest.raises(CanceledError):
        embed_images(
            pvm,
            keys,
            path_of,
            settings=settings,
            progress=lambda count, _: done.append(count),
            should_stop=lambda: len(done) >= 3,
        )
    counting = Counting(path_of)
    embed_images(pvm, keys, counting, settings=settings)
    assert counting.asked == keys[done[-1] :]


@pytest.mark.parametrize("damage", ["cut rows", "cut keys", "flipped byte", "no rows", "garbage"])
def test_a_damaged_shard_is_embedded_again(
    damage: str, pvm: PVM, stored: Stored, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    keys, path_of = stored
    whole = embed_images(pvm, keys, path_of, settings=settings)
    keys_file = sorted(set_folder(settings).glob("*.keys.npy"))[0]
    rows_file = keys_file.with_name(keys_file.name.replace(".keys", ""))
    lost = len(np.load(keys_file))
    if damage == "cut rows":
        rows_file.write_bytes(rows_file.read_bytes()[:-100])
    elif damage == "cut keys":
        keys_file.write_bytes(keys_file.read_bytes()[:-32])
    elif damage == "flipped byte":
        content = bytearray(rows_file.read_bytes())
        content[-7] ^= 1
        rows_file.write_bytes(content)
    elif damage == "no rows":
        rows_file.unlink()
    else:
        keys_file.write_bytes(b"garbage")
    counting = Counting(path_of)
    again = embed_images(pvm, keys, counting, settings=settings)
    assert len(counting.asked) == lost
    assert np.allclose(again, whole, atol=1e-6)
    assert "damaged" in caplog.text


def test_rows_without_keys_do_not_count(pvm: PVM, stored: Stored, settings: Settings) -> None:
    keys, path_of = stored
    embed_images(pvm, keys, path_of, settings=settings)
    published = sorted(set_folder(settings).glob("*.keys.npy"))[0]
    lost = len(np.load(published))
    published.unlink()  # as a kill between the two writes leaves it
    counting = Counting(path_of)
    embed_images(pvm, keys, counting, settings=settings)
    assert len(counting.asked) == lost
    assert published.exists()  # the same images have the same name, so this shard is whole again
    orphan = set_folder(settings) / "unpublished.npy"
    orphan.touch()
    leftovers = EmbeddingSet(set_folder(settings), pvm.feature_dim)
    leftovers.remove_leftovers()
    assert orphan.exists()  # it may belong to a process that is writing just now
    old = time.time() - 2 * 24 * 3600
    os.utime(orphan, (old, old))
    leftovers.remove_leftovers()
    assert not orphan.exists()
    assert len(list(set_folder(settings).glob("*.keys.npy"))) == -(-COUNT // SHARD)


CHILD = """
import sys, time
from pathlib import Path
from tests.encoders.samples import settings_in
from vecaf.encoders import embed, embed_images, load_pvm
embed.ROWS_PER_SHARD = {shard}
images = Path({images!r})
keys = sorted(path.stem for path in images.iterdir())
def path_of(key):
    return images / (key + ".jpg")
def progress(done, total):
    print(done, flush=True)
    time.sleep(0.1)
embed_images(load_pvm({name!r}, 64), keys, path_of, settings=settings_in(Path({home!r})),
             progress=progress)
"""


@pytest.mark.soak
def test_a_kill_loses_at_most_the_current_shard(
    pvm: PVM, stored: Stored, folder: Path, settings: Settings
) -> None:
    keys, path_of = stored
    code = CHILD.format(
        shard=SHARD, images=str(folder / "images"), name=pvm.name, home=str(settings.home)
    )
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    done = 0
    while done < 40:
        done = int(child.stdout.readline())
    child.send_signal(signal.SIGKILL)
    child.wait()
    counting = Counting(path_of)
    rows = embed_images(pvm, sorted(keys), counting, settings=settings)
    # A row is yielded before its progress is reported, so the current shard may be one batch older.
    assert COUNT - done - 8 <= len(counting.asked) <= COUNT - done + SHARD
    elsewhere = settings_in(settings.home / "fresh")
    assert np.allclose(rows, embed_images(pvm, sorted(keys), path_of, settings=elsewhere))


def test_two_writers_at_once(pvm: PVM, stored: Stored, settings: Settings) -> None:
    keys, path_of = stored

    def embed(part: list[str]) -> np.ndarray:
        return embed_images(pvm, part, path_of, settings=settings)

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(embed, [keys[:40], keys[20:]])
    assert np.allclose(first[20:], second[:20], atol=1e-6)
    counting = Counting(path_of)
    every = embed_images(pvm, keys, counting, settings=settings)
    assert not counting.asked
    assert np.allclose(every[:40], first, atol=1e-6)


def test_an_unreadable_image_loses_no_others(
    pvm: PVM, stored: Stored, settings: Settings, tmp_path: Path
) -> None:
    keys, path_of = stored
    bad = tmp_path / "bad.jpg"
    bad.write_text("not an image")

    def with_one_bad(key: str) -> Path:
        return bad if key == keys[50] else path_of(key)

    with pytest.raises(InputError, match=r"bad\.jpg"):
        embed_images(pvm, keys, with_one_bad, settings=settings)
    counting = Counting(path_of)
    embed_images(pvm, keys, counting, settings=settings)
    assert 0 < len(counting.asked) < COUNT


def test_keys_are_checked(pvm: PVM, settings: Settings) -> None:
    for bad in (["abc"], ["z" * 64], ["../" + "a" * 61], ["a" * 63, "a" * 65]):
        with pytest.raises(InputError, match="sha256"):
            embed_images(pvm, bad, Path, settings=settings)
    assert embed_images(pvm, [], Path, settings=settings).shape == (0, pvm.feature_dim)


def test_fingerprint_names_what_matters(pvm: PVM, folder: Path) -> None:
    same = weights_of_timm(folder / "elsewhere", "test_resnet")
    assert fingerprint(load_pvm(f"timm/test_resnet@{same}", 64)) == fingerprint(pvm)
    others = [
        fingerprint(pvm.at_size(96)),
        fingerprint(pvm, "bfloat16"),
        fingerprint(load_pvm(f"test_resnet@{weights_of_timm(folder / 'c', 'test_resnet', 5)}", 64)),
    ]
    assert len({fingerprint(pvm), *others}) == 4


def test_digests_that_end_in_zeros(tmp_path: Path) -> None:
    keys = ["ab" * 31 + "00", "ab" * 32, "00" * 32, "cd" + "00" * 31]
    store = EmbeddingSet(tmp_path, 3)
    rows = np.arange(12, dtype=np.float32).reshape(4, 3)
    store.add(digests_of(keys), rows)
    assert np.array_equal(gather(store.index(), digests_of(keys[::-1])), rows[::-1])
    assert store.index().find(digests_of(["ab" * 31 + "01"])).tolist() == [-1]
