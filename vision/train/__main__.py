"""Trains the shipped model, or judges one: ``python -m vision.train``.

    python -m vision.train --data DIR              cache, train, export, figures
    python -m vision.train export --data DIR       the last checkpoint, as it is
    python -m vision.train levels M --data DIR     what alarms ask of a file, into it
    python -m vision.train evaluate M --data DIR   figures of a file, nothing is written
    python -m vision.train kfold --data DIR        folds by scene, into the card
    python -m vision.train candidates --data DIR   the table of candidates

A run that was killed goes on where its cache and its last checkpoint are.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vision.train.cache import Crops
    from vision.train.head import Net
    from vision.train.loop import Training

MODEL = "smoke_dust.onnx"
VERSION = "2.1"
SIZE = (640, 384)
_KFOLD = "kfold.json"
_PARTS = ("val", "rendered", "outside", "risen", "kfold")
_CROPS = 40_960
_STEPS = 8_000


def _arguments(given: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m vision.train", description=__doc__)
    actions = ("train", "export", "levels", "evaluate", "kfold", "candidates")
    parser.add_argument("action", nargs="?", default="train", choices=actions)
    parser.add_argument("model", nargs="?", type=Path, help="file to judge")
    parser.add_argument("--data", type=Path, required=True, help="folder of the data")
    parser.add_argument("--work", type=Path, help="cache and checkpoints")
    parser.add_argument("--out", type=Path, help="folder of the model and its card")
    parser.add_argument("--outside", type=Path, help="photographs that show nothing")
    parser.add_argument("--crops", type=int, default=_CROPS)
    parser.add_argument("--steps", type=int, default=_STEPS)
    parser.add_argument("--begin", type=Path, help="checkpoint to start from")
    parser.add_argument("--also", type=Path, nargs="*", default=[], help="more crops")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    return parser.parse_args(given)


def _crops(options: argparse.Namespace, splits: tuple[str, ...]) -> Crops:
    """Crops of each split; the val split has a fifth of the scenes and of the crops."""
    from vision.train import cache  # noqa: PLC0415 - heavy, and --help is not

    wanted = {"train": options.crops, "val": options.crops // 5}
    folders = [
        cache.build(
            options.data,
            options.work,
            wanted[split],
            processes=options.threads,
            splits=(split,),
        )
        for split in splits
    ]
    return cache.Crops(*folders, *options.also, most=options.crops)


def _training(options: argparse.Namespace) -> Training:
    from vision.train import backbone, loop  # noqa: PLC0415
    from vision.train.head import WINNER  # noqa: PLC0415

    recipe = loop.Recipe(steps=options.steps, seed=options.seed)
    return loop.Training(WINNER, recipe, backbone.imagenet_state())


def _checkpoint(options: argparse.Namespace) -> Path:
    return Path(options.work) / f"train-{options.steps}-{options.seed}.pt"


def _begun(options: argparse.Namespace) -> int:
    """Steps of the training this one began with."""
    import torch  # noqa: PLC0415

    if options.begin is None:
        return 0
    return int(torch.load(options.begin, weights_only=True)["step"])


def train(options: argparse.Namespace) -> None:
    """Build the cache, train to the end, export and measure."""
    from vision.train import loop  # noqa: PLC0415

    crops = _crops(options, ("train",))
    training = _training(options)
    path = _checkpoint(options)
    if training.resume(path):
        print(f"goes on from step {training.step} of {path}", flush=True)
    elif options.begin is not None:
        print(f"begins with step {training.begin_with(options.begin)}", flush=True)
    net = loop.run(training, crops, checkpoint=path, say="train")
    _publish(options, net, len(crops))


def export(options: argparse.Namespace) -> None:
    """Export and measure the last checkpoint, finished or not."""
    training = _training(options)
    if not training.resume(_checkpoint(options)):
        raise SystemExit(f"{_checkpoint(options)}: no checkpoint, train first")
    print(f"exports step {training.step}", flush=True)
    options.steps_done = training.step
    _publish(options, training.mean, options.crops)


def _publish(options: argparse.Namespace, net: Net, crops: int) -> None:
    from vision.train import backbone, book, calibration, card, hard, pairs  # noqa: PLC0415
    from vision.train import evaluate as judge  # noqa: PLC0415
    from vision.train import export as exports  # noqa: PLC0415
    from vision.train.candidates import TABLE  # noqa: PLC0415

    trunk = backbone.trunk(backbone.imagenet_state())
    pages = book.load(options.data, ("train", "val"))
    val = book.load(options.data, ("val",))
    chosen = calibration.quantised(trunk, net, pages, options.work, SIZE)
    shown = hard.pictures(val, options.data, options.work)
    val_pages = list(val.pages)
    at = calibration.rounded(
        calibration.thresholds(
            calibration.judge(chosen.path, val_pages, SIZE),
            calibration.judge_hard(chosen.path, shown, SIZE),
        )
    )
    alarms = calibration.levels(
        chosen.path, pairs.pairs(val, options.data, options.work), SIZE
    )
    manifest = calibration.digest(options.data / "manifest.csv")[:12]
    facts = {
        "head": "grid",
        "classes": list(exports.CLASSES),
        "size": list(SIZE),
        "thresholds": at._asdict(),
        "rise": alarms.rise._asdict(),
        "alone": alarms.alone._asdict(),
        "score": exports.SCORE,
        "data": f"manifest {manifest}, {crops} crops",
        "version": VERSION,
        "licence": exports.LICENCE,
    }
    exports.describe(chosen.path, facts)
    out: Path = options.out
    out.mkdir(parents=True, exist_ok=True)
    part = out / f"{MODEL}.part"
    shutil.copyfile(chosen.path, part)
    part.replace(out / MODEL)
    model = out / MODEL
    content: dict[str, Any] = {
        "model": {
            "file": MODEL,
            "sha256": calibration.digest(model),
            "bytes": model.stat().st_size,
            "precision": chosen.precision,
            "version": VERSION,
            "size": list(SIZE),
        },
        "training": {
            "steps": getattr(options, "steps_done", options.steps),
            "crops": crops,
            "begun": _begun(options),
            "seed": options.seed,
            "manifest": manifest,
        },
        "thresholds": at._asdict(),
        "rise": alarms.rise._asdict(),
        "alone": alarms.alone._asdict(),
        "int8_cost": chosen.cost,
        "latency": chosen.latency,
        "risen": alarms.found,
        **calibration.measured(model, val, shown, at, SIZE),
    }
    if options.outside is not None:
        seen = calibration.judge_outside(model, options.outside, SIZE)
        found = judge.report(seen, at)
        content["outside"] = calibration.as_data(found)
    kfold_kept = options.work / _KFOLD
    if kfold_kept.is_file():
        content["kfold"] = json.loads(kfold_kept.read_text(encoding="utf-8"))
    card.write(content, out, TABLE)
    _say(content)


def levels(options: argparse.Namespace) -> None:
    """Set what alarms ask of a file, in the file and in the card beside it."""
    from vision.train import book, calibration, pairs  # noqa: PLC0415
    from vision.train import card as cards  # noqa: PLC0415
    from vision.train import export as exports  # noqa: PLC0415
    from vision.train.candidates import TABLE  # noqa: PLC0415

    path = options.model or options.out / MODEL
    width, height = exports.facts_of(path)["size"]
    val = book.load(options.data, ("val",))
    shown = pairs.pairs(val, options.data, options.work)
    alarms = calibration.levels(path, shown, (width, height))
    said = {"rise": alarms.rise._asdict(), "alone": alarms.alone._asdict()}
    exports.describe(path, {**said, "version": VERSION})
    content = {**said, "risen": alarms.found}
    _say(content)
    card = path.with_name("card.json")
    if card.is_file():
        content = json.loads(card.read_text(encoding="utf-8")) | content
        content["model"]["version"] = VERSION
        content["model"]["sha256"] = calibration.digest(path)
        content["model"]["bytes"] = path.stat().st_size
        cards.write(content, path.parent, TABLE)


def evaluate(options: argparse.Namespace) -> None:
    """Print the figures of a file at the thresholds it states."""
    from vision.train import book, calibration, hard  # noqa: PLC0415
    from vision.train import evaluate as figures  # noqa: PLC0415
    from vision.train import export as exports  # noqa: PLC0415

    path = options.model or options.out / MODEL
    facts = exports.facts_of(path)
    at = figures.Thresholds(**facts["thresholds"])
    val = book.load(options.data, ("val",))
    shown = hard.pictures(val, options.data, options.work)
    width, height = facts["size"]
    _say(calibration.measured(path, val, shown, at, (width, height)))


def _say(content: dict[str, Any]) -> None:
    for part in _PARTS:
        for name, f in content.get(part, {}).items():
            span = f"{f['low']:.2f}-{f['high']:.2f}"
            print(
                f"{part:9} {name:48} {f['value']:.3f} {span} {f['n']} / {f['scenes']}"
            )
    rest = {k: v for k, v in content.items() if k not in _PARTS}
    print(json.dumps(rest, ensure_ascii=False))


def kfold(options: argparse.Namespace) -> None:
    """Judge the recipe on folds over all scenes; put it in the card."""
    from vision.train import backbone, book, calibration, folds, loop  # noqa: PLC0415
    from vision.train import card as cards  # noqa: PLC0415
    from vision.train import evaluate as figures  # noqa: PLC0415
    from vision.train.candidates import TABLE  # noqa: PLC0415
    from vision.train.folds import FOLDS  # noqa: PLC0415
    from vision.train.head import WINNER  # noqa: PLC0415

    splits = ("train", "val")
    crops = _crops(options, splits)
    state = backbone.imagenet_state()
    pages = book.load(options.data, splits).pages
    field = folds.field(backbone.trunk(state), pages, SIZE, options.work)
    recipe = loop.Recipe(steps=options.steps, seed=options.seed)
    dealt = folds.assign(pages, FOLDS)
    (seen,) = folds.out_of_fold(
        WINNER, recipe, crops, [field], dealt, state, say="kfold"
    )
    at = figures.calibrate(seen.only(seen.flags("negative")), calibration.RATE)
    found = calibration.as_data(figures.report(seen, at))
    _say({"kfold": found})
    kept = {
        "folds": FOLDS,
        "steps": options.steps,
        "crops": len(crops),
        "figures": found,
    }
    (options.work / _KFOLD).write_text(json.dumps(kept), encoding="utf-8")
    path = options.out / "card.json"
    if path.is_file():
        content = json.loads(path.read_text(encoding="utf-8"))
        cards.write(content | {"kfold": kept}, options.out, TABLE)


def candidates(options: argparse.Namespace) -> None:
    """Train and compare the candidates, and keep their table."""
    from vision.train import candidates as table  # noqa: PLC0415

    crops = _crops(options, ("train",))
    rows = table.compare(options.data, options.work, crops)
    table.write(rows, len(crops), "folds by scene over the train split")


def main(given: list[str]) -> None:
    """Run one action."""
    options = _arguments(given)
    from vision.train import memory  # noqa: PLC0415
    from vision.train.cache import default_work  # noqa: PLC0415

    options.work = options.work or default_work()
    options.out = options.out or Path(__file__).parents[1] / "model"
    import cv2  # noqa: PLC0415
    import torch  # noqa: PLC0415

    memory.keep()
    cv2.setNumThreads(1)
    torch.set_num_threads(options.threads)
    actions = {
        "train": train,
        "export": export,
        "levels": levels,
        "evaluate": evaluate,
        "kfold": kfold,
        "candidates": candidates,
    }
    actions[options.action](options)


if __name__ == "__main__":
    main(sys.argv[1:])
