"""Rendered crops, seen through the frozen trunk, kept on disk.

    WORK/crops-<recipe>/0007/features.npy   (n,24,32,40) float16, channels last
                             target.npy     (n,12,16,3)  float16
                             weight.npy     (n,12,16,3)  float16
                             change.npy     (n,12,16,4)  float16
                             rows.json      kinds and scenes, n of each

A shard is written under another name and renamed when whole, so a build that was
killed goes on where it stopped. The recipe is a digest of the rendering code and the
manifest: change one and a new folder is begun, old crops are never mixed in.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from vision.train import book as books

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vision.train.sample import Sample

SHARD = 1024
_BATCH = 16
# Modules that decide nothing about a crop; all others are part of the recipe.
_AFTERWARDS = frozenset(
    {
        "__init__", "__main__", "cache", "calibration", "candidates", "card",
        "evaluate", "export", "figures", "folds", "frames", "graph", "hard",
        "head", "latency", "loop", "memory", "outside", "pairs", "sheet",
    }
)  # fmt: skip


def recipe(data: Path) -> str:
    """Digest of everything that decides what crop a seed gives."""
    digest = hashlib.sha256()
    here = Path(__file__).parent
    for path in sorted(here.glob("*.py")):
        if path.stem not in _AFTERWARDS:
            digest.update(path.name.encode() + path.read_bytes())
    digest.update((data / "manifest.csv").read_bytes())
    return digest.hexdigest()[:12]


def change_maps(
    image: NDArray[np.uint8], before: NDArray[np.uint8], *, known: bool
) -> NDArray[np.float16]:
    """What changed against the background, one value a cell.

    Args:
        image: (H,W,3) RGB.
        before: (H,W,3) RGB, the background.
        known: Whether ``before`` is one.

    Returns:
        (H/16,W/16,4): size of the change, brighter or darker, warmer or colder, known;
        zeros where nothing is known.
    """
    height, width = image.shape[0] // 16, image.shape[1] // 16
    maps = np.zeros((height, width, 4), np.float16)
    if not known:
        return maps
    step = (image.astype(np.float32) - before.astype(np.float32)) / 64
    cells = step.reshape(height, 16, width, 16, 3).mean((1, 3))
    maps[..., 0] = np.abs(step).reshape(height, 16, width, 16, 3).mean((1, 3, 4))
    maps[..., 1] = cells.mean(-1)
    maps[..., 2] = cells[..., 0] - cells[..., 2]
    maps[..., 3] = 1
    return maps


def _write_shard(
    folder: Path, samples: list[Sample], features: NDArray[np.float16]
) -> None:
    part = folder.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    np.save(part / "features.npy", features)
    for name in ("target", "weight"):
        stack = np.stack([getattr(s, name) for s in samples]).transpose(0, 2, 3, 1)
        np.save(part / f"{name}.npy", np.ascontiguousarray(stack, np.float16))
    change = [change_maps(s.image, s.before, known=s.known) for s in samples]
    np.save(part / "change.npy", np.stack(change))
    rows = {"kinds": [s.kind for s in samples], "scenes": [s.scene for s in samples]}
    (part / "rows.json").write_text(json.dumps(rows))
    part.rename(folder)


def _build(
    data: Path, folder: Path, shards: list[int], splits: tuple[str, ...]
) -> None:
    import cv2  # noqa: PLC0415 - threads are set before the first use
    import torch  # noqa: PLC0415 - the parent of these processes need not load it

    from vision.train import backbone  # noqa: PLC0415
    from vision.train.sample import sample  # noqa: PLC0415

    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    trunk = backbone.trunk(backbone.imagenet_state())
    book = books.load(data, splits)
    for shard in shards:
        seeds = range(shard * SHARD, (shard + 1) * SHARD)
        samples = [sample(seed, book) for seed in seeds]
        features = np.empty((SHARD, 24, 32, 40), np.float16)
        with torch.no_grad():
            for at in range(0, SHARD, _BATCH):
                images = np.stack([s.image for s in samples[at : at + _BATCH]])
                batch = torch.from_numpy(images).permute(0, 3, 1, 2).float()
                out = trunk(batch.contiguous(memory_format=torch.channels_last))
                features[at : at + _BATCH] = out.permute(0, 2, 3, 1).numpy()
        _write_shard(folder / f"{shard:04d}", samples, features)
        print(f"crops {(shard + 1) * SHARD} of shard {shard:04d} written", flush=True)


def build(
    data: Path,
    work: Path,
    crops: int,
    *,
    processes: int = 2,
    splits: tuple[str, ...] = ("train",),
) -> Path:
    """Render and embed crops until ``crops`` are there; return their folder."""
    folder = work / f"crops-{'-'.join(splits)}-{recipe(data)}"
    folder.mkdir(parents=True, exist_ok=True)
    wanted = range((crops + SHARD - 1) // SHARD)
    missing = [s for s in wanted if not (folder / f"{s:04d}").is_dir()]
    spawn = multiprocessing.get_context("spawn")
    running = []
    for turn in range(min(processes, len(missing))):
        arguments = (data, folder, missing[turn::processes], splits)
        worker = spawn.Process(target=_build, args=arguments)
        worker.start()
        running.append(worker)
    for worker in running:
        worker.join()
        if worker.exitcode:
            raise RuntimeError(
                f"{folder}: a rendering process ended with {worker.exitcode}"
            )
    return folder


class Batch(NamedTuple):
    """Rows of the cache, channels last: features, target, weight, change."""

    features: NDArray[np.float32]
    target: NDArray[np.float32]
    weight: NDArray[np.float32]
    change: NDArray[np.float32]


class Crops:
    """The crops of one or more folders, addressed as one long list."""

    def __init__(self, *folders: Path, most: int | None = None) -> None:
        """Open every whole shard, at most ``most`` crops of each folder.

        Raises:
            ValueError: a folder has no shard.
        """
        shards = []
        for folder in folders:
            here = sorted(p for p in folder.iterdir() if p.name.isdigit())
            if not here:
                raise ValueError(f"{folder}: expected shards of crops, found none")
            shards += here if most is None else here[: max(1, most // SHARD)]
        self._arrays = {
            name: [np.load(s / f"{name}.npy", mmap_mode="r") for s in shards]
            for name in ("features", "target", "weight", "change")
        }
        rows = [json.loads((s / "rows.json").read_text()) for s in shards]
        self.kinds = np.array([k for r in rows for k in r["kinds"]])
        self.scenes = np.array([k for r in rows for k in r["scenes"]])

    def __len__(self) -> int:
        return len(self.kinds)

    def batch(self, rows: NDArray[np.intp]) -> Batch:
        """Read some crops."""
        return Batch(
            *(
                np.stack([a[r // SHARD][r % SHARD] for r in rows]).astype(np.float32)
                for a in self._arrays.values()
            )
        )


def default_work() -> Path:
    """Where caches and checkpoints go unless ``--work`` says otherwise."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "ecogate-train"
