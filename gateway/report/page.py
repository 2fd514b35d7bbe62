"""The validity report as one HTML page: nothing outside it, made to print on A4."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from gateway.report.calendar import local
from gateway.report.count import percent
from gateway.report.said import cause_said, remarks, state_said, when
from gateway.texts import language, t

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gateway.report.count import Counts
    from gateway.report.validity import FactorReport, Part, Report

_STYLE = """
@page { size: A4; margin: 14mm 12mm 16mm; }
* { box-sizing: border-box; }
html { font: 10pt/1.45 "Noto Sans CJK SC", "Source Han Sans SC", "Microsoft YaHei",
  "PingFang SC", "Helvetica Neue", Arial, sans-serif; color: #1a1a1a;
  background: #fff; }
body { max-width: 190mm; margin: 0 auto; padding: 6mm 0; }
h1 { font-size: 16pt; margin: 0 0 1mm; }
h2 { font-size: 11.5pt; margin: 7mm 0 2mm; border-bottom: 1px solid #444;
  break-after: avoid; }
h3 { font-size: 10pt; margin: 0 0 1mm; break-after: avoid; }
p { margin: 1mm 0; }
.facts { display: grid; grid-template-columns: auto 1fr auto 1fr; gap: .5mm 4mm;
  margin: 3mm 0 0; }
.facts dt { color: #555; } .facts dd { margin: 0; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { border-bottom: .5px solid #bbb; padding: .6mm 1.6mm; text-align: left;
  vertical-align: top; }
thead { display: table-header-group; }
thead th { border-bottom: 1px solid #444; font-weight: 600; white-space: nowrap; }
tr { break-inside: avoid; }
td.n, th.n { text-align: right; white-space: nowrap; }
tfoot td { font-weight: 600; border-top: 1px solid #444; border-bottom: 0; }
.two { display: grid; grid-template-columns: 1fr 1fr; gap: 5mm 7mm; }
.two section { break-inside: avoid; } .two table { font-size: 8pt; line-height: 1.25; }
.two td, .two th { padding: .3mm 1.6mm; }
.strip { table-layout: fixed; }
.strip td { text-align: center; padding: .5mm 0; font-size: 7.5pt;
  border: .5px solid #999; }
.strip th { border: 0; padding: 0; font-weight: normal; }
.strip th:first-child { width: 24mm; overflow-wrap: anywhere; }
.strip thead th { text-align: center; padding: 0; color: #555; font-size: 7.5pt; }
.full { background: #e4f1e4; } .some { background: #fbeebc; }
.none { background: #f3c9c4; }
.stop { background: #e3e3e3; color: #555; } .far { background: #fff; color: #999; }
.note { color: #555; font-size: 8.5pt; }
.sign { display: grid; grid-template-columns: 1fr 1fr 1fr; gap: 8mm; margin-top: 12mm;
  break-inside: avoid; }
.sign div { border-top: 1px solid #444; padding-top: 1mm; color: #555; }
@media print { body { padding: 0; max-width: none; }
  * { -webkit-print-color-adjust: exact; print-color-adjust: exact; } }
"""
_RIGHT = ' class="n"'
_NUMBERS = ("expected", "acquired", "valid", "sent", "proved")


def page(report: Report, site: str) -> str:
    """The whole page, in the language in force.

    Args:
        report: What it says.
        site: Name of the site, as its head.
    """
    zone = ZoneInfo(report.timezone)
    title = f"{t(f'report.title.{report.length}')} {_period(report, zone)}"
    parts = [
        f"<h1>{escape(title)}</h1>",
        _facts(report, site, zone),
        _heading("report.summary"),
        _summary(report),
        *(f'<p class="note">{escape(note)}</p>' for note in remarks(report, zone)),
        _heading(f"report.by.{report.length}"),
        _strip(report, zone),
        _heading("report.gaps"),
        _gaps(report, zone),
        _heading("report.declared"),
        _declared(report, zone),
        _heading("report.others"),
        _others(report, zone),
        _heading(f"report.detail.{report.length}"),
        _detail(report, zone),
        _signatures(),
    ]
    lang = "zh-CN" if language() == "zh" else "en"
    return (
        f'<!DOCTYPE html>\n<html lang="{lang}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(f'{report.station} {title}')}</title>\n"
        f"<style>{_STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body>\n</html>\n"
    )


def _heading(key: str) -> str:
    return f"<h2>{escape(t(key))}</h2>"


def _facts(report: Report, site: str, zone: ZoneInfo) -> str:
    label = report.label.get(language(), "")
    facts = (
        ("report.site", site),
        ("report.station", f"{report.station} {label}".strip()),
        ("report.target", report.target or t("report.no_target")),
        ("report.counted", t(f"report.counted.{report.kind}")),
        ("report.timezone", report.timezone),
        ("report.made", when(report.made_ms, zone)),
    )
    inner = "".join(
        f"<dt>{escape(t(key))}</dt><dd>{escape(value)}</dd>" for key, value in facts
    )
    return f'<dl class="facts">{inner}</dl>'


def _summary(report: Report) -> str:
    heads = [t("report.column.factor")]
    heads += [t(f"report.column.{name}") for name in (*_NUMBERS, "stopped")]
    heads += [
        t(f"report.column.{n}") for n in ("transmission", "validity", "effective")
    ]
    rows = [[_factor(f), *_counted(f.total, rates=True)] for f in report.factors]
    total = [t("report.all_factors"), *_counted(report.total, rates=True)]
    return _table(heads, rows, numbers=range(1, len(heads)), foot=total)


def _strip(report: Report, zone: ZoneInfo) -> str:
    parts = report.factors[0].parts if report.factors else ()
    heads = "".join(f"<th>{_short(part, report, zone)}</th>" for part in parts)
    lines = []
    for factor in report.factors:
        cells = "".join(_cell(part.counts, part, report) for part in factor.parts)
        lines.append(f"<tr><th>{escape(factor.name)}</th>{cells}</tr>")
    return (
        f'<table class="strip"><thead><tr><th></th>{heads}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table>"
        f'<p class="note">{escape(t("report.strip"))}</p>'
    )


def _cell(counts: Counts, part: Part, report: Report) -> str:
    if not counts.expected:
        far = part.since_ms >= report.made_ms or part.until_ms <= report.from_ms
        if far or not counts.stopped:
            return '<td class="far">·</td>'
        return f'<td class="stop">{escape(t("report.stopped_short"))}</td>'
    missing = counts.expected - counts.valid
    shade = "full" if not missing else "some" if counts.valid else "none"
    return f'<td class="{shade}">{missing or "✓"}</td>'


def _short(part: Part, report: Report, zone: ZoneInfo) -> str:
    at = local(part.since_ms, zone)
    return f"{at:%H}" if report.length == "day" else f"{at:%d}"


def _gaps(report: Report, zone: ZoneInfo) -> str:
    heads = [t(f"report.column.{n}") for n in ("since", "until", "device", "factors")]
    heads += [t("report.column.cause"), t("report.column.slots")]
    rows = [
        [
            when(gap.since_ms, zone),
            when(gap.until_ms, zone) + (f" {t('report.still')}" if gap.open else ""),
            gap.device,
            ", ".join(gap.factors),
            cause_said(gap.cause),
            f"{'' if gap.certain else '≤ '}{gap.slots}",
        ]
        for gap in report.gaps
    ]
    return _table(heads, rows, numbers=(5,))


def _declared(report: Report, zone: ZoneInfo) -> str:
    heads = [t(f"report.column.{n}") for n in ("since", "until", "device", "state")]
    heads += [t(f"report.column.{n}") for n in ("who", "why", "ended_by")]
    rows = [
        [
            when(one.since_ms, zone),
            t("report.still") if one.until_ms is None else when(one.until_ms, zone),
            one.device,
            state_said(one.state),
            one.who,
            one.why,
            one.by,
        ]
        for one in report.declared
    ]
    return _table(heads, rows)


def _others(report: Report, zone: ZoneInfo) -> str:
    heads = [t(f"report.column.{n}") for n in ("since", "until", "device", "happened")]
    rows = [
        [
            when(one.t_ms, zone),
            "" if one.until_ms is None else when(one.until_ms, zone),
            one.device,
            one.text.get(language(), "") or one.type,
        ]
        for one in report.others
    ]
    return _table(heads, rows)


def _detail(report: Report, zone: ZoneInfo) -> str:
    heads = [t(f"report.column.{'hour' if report.length == 'day' else 'day'}")]
    heads += [t(f"report.column.{name}") for name in _NUMBERS]
    sections = []
    for factor in report.factors:
        rows = [
            [_part(part, report, zone), *_counted(part.counts)] for part in factor.parts
        ]
        total = [t("report.total"), *_counted(factor.total)]
        body = _table(heads, rows, numbers=range(1, len(heads)), foot=total)
        sections.append(f"<section><h3>{escape(_factor(factor))}</h3>{body}</section>")
    return f'<div class="two">{"".join(sections)}</div>'


def _part(part: Part, report: Report, zone: ZoneInfo) -> str:
    at = local(part.since_ms, zone)
    return f"{at:%H:%M}" if report.length == "day" else f"{at:%m-%d}"


def _signatures() -> str:
    names = ("report.made_by", "report.checked_by", "report.date")
    inner = "".join(f"<div>{escape(t(name))}</div>" for name in names)
    return f'<div class="sign">{inner}</div>'


def _factor(factor: FactorReport) -> str:
    label = factor.label.get(language(), "")
    code = f"({factor.code})" if factor.code else ""
    return " ".join(word for word in (factor.name, label, code) if word)


def _counted(counts: Counts, *, rates: bool = False) -> list[str]:
    found = [str(getattr(counts, name)) for name in _NUMBERS]
    if rates:
        found.append(str(counts.stopped))
        found += map(percent, (counts.transmission, counts.validity, counts.effective))
    return found


def _period(report: Report, zone: ZoneInfo) -> str:
    at = local(report.since_ms, zone)
    return f"{at:%Y-%m-%d}" if report.length == "day" else f"{at:%Y-%m}"


def _table(
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    numbers: Iterable[int] = (),
    foot: Sequence[str] = (),
) -> str:
    if not rows:
        return f"<p>{escape(t('report.nothing'))}</p>"
    right = set(numbers)

    def line(tag: str, cells: Sequence[str]) -> str:
        inner = "".join(
            f"<{tag}{_RIGHT if k in right else ''}>{escape(cell)}</{tag}>"
            for k, cell in enumerate(cells)
        )
        return f"<tr>{inner}</tr>"

    body = "".join(line("td", row) for row in rows)
    ending = f"<tfoot>{line('td', foot)}</tfoot>" if foot else ""
    head = f"<thead>{line('th', heads)}</thead>"
    return f"<table>{head}<tbody>{body}</tbody>{ending}</table>"
