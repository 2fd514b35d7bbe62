"""The model's card: what ships beside the file, in English and Chinese.

``card.json`` holds every figure; the two texts are the templates ``card.en.md`` and
``card.zh-CN.md`` with its tables put in. Nothing is typed by hand, so a card can not
praise another file than the one it lies beside: it names that file's SHA-256.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_HERE = Path(__file__).parent
_LANGUAGES = {"en": "card.md", "zh-CN": "card.zh-CN.md"}

# What a row of a table is called: English, Chinese.
NAMES: Mapping[str, tuple[str, str]] = {
    "false_positives": ("negatives called anything", "负样本误报（任一类别）"),
    "false_positives_dark_smoke": ("negatives called dark smoke", "负样本误报为黑烟"),
    "false_positives_light_smoke": (
        "negatives called light smoke",
        "负样本误报为浅色烟",
    ),
    "false_positives_dust": ("negatives called dust", "负样本误报为扬尘"),
    "auroc_smoke": ("all smoke, AUROC", "全部烟，AUROC"),
    "recall_smoke": ("all smoke, recall", "全部烟，召回率"),
    "auroc_dark": ("dark smoke, AUROC", "黑烟，AUROC"),
    "recall_dark": ("dark smoke, recall (as smoke)", "黑烟，召回率（识别为烟）"),
    "named_dark": ("dark smoke, recall (as dark)", "黑烟，召回率（识别为黑烟）"),
    "auroc_light": ("light smoke, AUROC", "浅色烟，AUROC"),
    "recall_light": ("light smoke, recall (as smoke)", "浅色烟，召回率（识别为烟）"),
    "named_light": ("light smoke, recall (as light)", "浅色烟，召回率（识别为浅色烟）"),
    "auroc_dust": ("dust, AUROC", "扬尘，AUROC"),
    "recall_dust": ("dust, recall", "扬尘，召回率"),
    "recall_far_smoke": ("far smoke (< 32 px), recall", "远处烟（< 32 像素），召回率"),
    "auroc_far_smoke": ("far smoke (< 32 px), AUROC", "远处烟（< 32 像素），AUROC"),
    "risen_near-dark": ("near dark smoke risen", "近处黑烟升高达标"),
    "risen_near-light": ("near light smoke risen", "近处浅色烟升高达标"),
    "risen_far-dark": ("far dark smoke risen", "远处黑烟升高达标"),
    "risen_far-light": ("far light smoke risen", "远处浅色烟升高达标"),
    "risen_dust": ("dust risen", "扬尘升高达标"),
}
_KINDS: Mapping[str, tuple[str, str]] = {
    "real-smoke": ("real", "真实"),
    "real-dust": ("real", "真实"),
    "real-none": ("real", "真实"),
    "outside": ("from elsewhere", "数据之外"),
    "synthetic": ("rendered", "渲染"),
}


def _figure(found: Mapping[str, Any]) -> str:
    value, low, high = (found[k] for k in ("value", "low", "high"))
    return f"{value:.3f} | {low:.2f} - {high:.2f} | {found['n']} | {found['scenes']}"


def _named(name: str, language: int) -> str:
    if name in NAMES:
        return NAMES[name][language]
    for base in sorted(NAMES, key=len, reverse=True):
        rest = name.removeprefix(f"{base}_").removeprefix("kind_")
        if name.startswith(f"{base}_"):
            kind = _KINDS.get(rest, (rest, rest))[language]
            return f"{NAMES[base][language]}: {kind}"
    return name


def table(found: Mapping[str, Mapping[str, Any]], language: int) -> str:
    """Lay figures out as a Markdown table.

    Args:
        found: Figures as ``calibration.as_data`` stores them.
        language: 0 English, 1 Chinese.
    """
    head = (
        "| figure | value | 95 % by scene | pictures | scenes |",
        "| 指标 | 数值 | 按场景 95 % 区间 | 图片数 | 场景数 |",
    )[language]
    rows = [f"| {_named(n, language)} | {_figure(f)} |" for n, f in found.items()]
    return "\n".join([head, "| --- | --- | --- | --- | --- |", *rows])


def _hard(found: Mapping[str, Mapping[str, Any]], language: int) -> str:
    start = "false_positives_kind_hard:"
    rows = {
        name.removeprefix(start): figure
        for name, figure in found.items()
        if name.startswith(start)
    }
    head = (
        "| over val scenes | called anything | 95 % by scene | pictures | scenes |",
        "| 在验证集背景上渲染 | 误报率 | 按场景 95 % 区间 | 图片数 | 场景数 |",
    )[language]
    body = [f"| {name} | {_figure(f)} |" for name, f in rows.items()]
    return "\n".join([head, "| --- | --- | --- | --- | --- |", *body])


def _plumes(found: Mapping[str, Mapping[str, Any]], language: int) -> str:
    shown = {n: f for n, f in found.items() if "rendered:" in n or "far" in n}
    return table(shown, language)


def _latency(facts: Mapping[str, Mapping[str, float]]) -> str:
    columns = list(next(iter(facts.values())))
    lines = [f"| ms | {' | '.join(columns)} |", "| --- |" + " --- |" * len(columns)]
    for precision, row in facts.items():
        lines.append(f"| {precision} | {' | '.join(str(row[c]) for c in columns)} |")
    return "\n".join(lines)


def _candidates(rows: list[Mapping[str, Any]]) -> str:
    columns = (
        "auroc_smoke", "auroc_smoke_real-smoke", "auroc_dark", "auroc_dust",
        "auroc_dust_real-dust", "recall_smoke_at_8", "recall_dust_at_8",
    )  # fmt: skip
    lines = [
        f"| candidate | size | {' | '.join(columns)} |",
        "| --- | --- |" + " --- |" * len(columns),
    ]
    for row in rows:
        values = " | ".join(f"{row.get(c, float('nan')):.3f}" for c in columns)
        lines.append(f"| {row['candidate']} | {row['size']} | {values} |")
    return "\n".join(lines)


def texts(card: Mapping[str, Any], candidates: Mapping[str, Any]) -> dict[str, str]:
    """Return the card's texts by file name.

    Args:
        card: As ``card.json`` holds it.
        candidates: As ``candidates.json`` holds it.
    """
    out = {}
    for language, (code, file) in enumerate(_LANGUAGES.items()):
        text = (_HERE / f"card.{code}.md").read_text(encoding="utf-8")
        kfold = card.get("kfold")
        absent = ("not run for this file", "此文件未进行")[language]
        filled = {
            "model": card["model"],
            "training": card["training"],
            "thresholds": card["thresholds"],
            "rise": card["rise"],
            "alone": card["alone"],
            "risen": table(card["risen"], language),
            "val": table(
                {
                    n: f
                    for n, f in card["val"].items()
                    if n != "false_positives_kind_real-none"
                },
                language,
            ),
            "kfold": table(kfold["figures"], language) if kfold else absent,
            "hard": _hard(card["rendered"], language),
            "outside": table(card["outside"], language)
            if "outside" in card
            else absent,
            "plumes": _plumes(card["rendered"], language),
            "latency": _latency(card["latency"]),
            "candidates": _candidates(candidates["rows"]),
            "compared": candidates,
            "int8_cost": ", ".join(
                f"{k} {v:+.3f}" for k, v in card["int8_cost"].items()
            ),
        }
        out[file] = text.format(**filled)
    return out


def write(card: Mapping[str, Any], folder: Path, candidates: Path) -> None:
    """Write ``card.json`` and the two texts beside the model."""
    stored = json.dumps(card, indent=1, ensure_ascii=False)
    (folder / "card.json").write_text(stored + "\n", encoding="utf-8")
    known = json.loads(candidates.read_text(encoding="utf-8"))
    for file, text in texts(card, known).items():
        (folder / file).write_text(text, encoding="utf-8")
