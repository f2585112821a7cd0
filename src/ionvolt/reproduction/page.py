"""A report as one self-contained HTML page: figures embedded, no script, nothing fetched."""

from __future__ import annotations

import base64
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from ionvolt.reproduction.exhibits import Claim, Exhibit, read_table
from ionvolt.store import write_text

SHOWN_ROWS = 40
"""Longer tables are only named, not printed."""

CLASSES = {"yes": "yes", "in part": "part", "no": "no", "not tested": "none"}
COUNTED = (("yes", "hold"), ("in part", "hold in part"), ("no", "do not hold"), ("not tested", "could not be tested"))
PAPER = "Zhang, Zhou, Lu, Shen, npj Comput. Mater. 8, 175 (2022), doi 10.1038/s41524-022-00858-9"


def write_page(exhibits: list[Exhibit], summary: dict[str, Any], output: Path) -> None:
    """Write ``index.html`` beside the folders ``figures`` and ``tables``; it appears only when it is complete."""
    style = (files("ionvolt.reproduction") / "page.css").read_text(encoding="utf-8")
    main = "\n".join(_section(exhibit, output) for exhibit in exhibits)
    title = "The paper's evidence, computed again"
    text = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        f"<nav>\n<strong>Contents</strong>\n<ol>\n{_contents(exhibits)}\n</ol>\n</nav>\n<main>\n"
        f"<h1>{title}</h1>\n{_head(summary)}\n{_overview(exhibits)}\n{main}\n</main>\n</body>\n</html>\n"
    )
    write_text(output / "index.html", text)


def _contents(exhibits: list[Exhibit]) -> str:
    links = [("overview", "All claims", "")]
    links += [(e.name, _short(e.title), "".join(_dot(c) for c in e.claims)) for e in exhibits]
    return "\n".join(f'<li><a href="#{name}">{escape(words)}</a> {dots}</li>' for name, words, dots in links)


def _short(title: str) -> str:
    before, panel, ion = title.partition("predicted and calculated voltages of ")
    return before + ion.removesuffix(" electrodes") if panel else title


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{counts[word]} {words}" for word, words in COUNTED if counts[word]) or "none are there"


def _dot(claim: Claim) -> str:
    return f'<span class="dot {CLASSES[claim.holds]}" title="{escape(claim.words)}: {claim.holds}"></span>'


def _head(summary: dict[str, Any]) -> str:
    minutes = sum(summary["seconds"].values()) / 60
    counted, added = _counted(summary["claims"]), _counted(summary["added"])
    snapshots = ", ".join(filter(None, summary["snapshots"])) or "no snapshot named"
    lines = [
        f"<p>Every table and figure of {escape(PAPER)}, made again by <code>ionvolt reproduce</code> "
        f"{escape(summary['ionvolt_version'])} from {escape(summary['data'] or 'a data set')} ({escape(snapshots)}; "
        f"{summary['electrodes']:,} electrodes, {summary['kept']:,} after the paper's trimming): "
        f"{escape(summary['in_words'])}; {minutes:.0f} minutes of computing.</p>",
        f"<p>Of the paper's claims below {counted}. Comparisons that the paper lacks are marked <em>added</em>: of "
        f"them {added}. Each verdict follows from the numbers by a fixed rule: an error "
        "<em>holds</em> if it is not above the paper's, <em>in part</em> if only the 95 % interval reaches down to it; "
        "one model is better than another if the interval of the difference on the same electrodes lies above 0. The "
        "paper's errors are of the validation rows on which its epochs were chosen; those here are of test rows that "
        "no choice has seen.</p>",
    ]
    if summary["quick"]:
        lines.insert(
            0,
            '<p class="warning"><strong>Quick run.</strong> Few epochs, one split, small ensembles: its errors are '
            "not those of the method, and not comparable with the paper's. Leave <code>--quick</code> out for "
            "figures to rely on.</p>",
        )
    if summary["attribution"]:
        lines.append(f'<p class="small">Data: {escape(summary["attribution"])}.</p>')
    return "\n".join(lines)


def _overview(exhibits: list[Exhibit]) -> str:
    rows = []
    for exhibit in exhibits:
        link = f'<a href="#{exhibit.name}">{escape(exhibit.title.split(":")[0])}</a>'
        for number, claim in enumerate(exhibit.claims):
            cells = [escape(claim.words) + _added(claim), escape(claim.paper) or "–", escape(claim.here) or "–"]
            cells.append(_badge(claim))
            first = f'<td class="label">{"" if number else link}</td>'
            rows.append(f"<tr>{first}{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>")
    return (
        '<section id="overview">\n<h2>All claims</h2>\n<div class="scroll"><table>\n<thead><tr><th></th><th>claim</th>'
        "<th>paper</th><th>here</th><th>holds</th></tr></thead>\n<tbody>\n" + "\n".join(rows) + "\n</tbody>\n"
        "</table></div>\n</section>"
    )


def _added(claim: Claim) -> str:
    return ' <span class="small">(added)</span>' if claim.added else ""


def _section(exhibit: Exhibit, output: Path) -> str:
    lines = [f'<section id="{exhibit.name}">', f"<h2>{escape(exhibit.title)}</h2>"]
    if exhibit.missing:
        lines.append(f'<p class="warning">Left out: {escape(exhibit.missing)}.</p>')
    lines += [_figure(name, exhibit.title, output) for name in exhibit.figures]
    if exhibit.caption:
        lines.append(f'<p class="caption">{escape(exhibit.caption)}</p>')
    lines += [_claim(claim) for claim in exhibit.claims]
    if exhibit.inferred:
        lines.append(f'<p class="small">Inferred: {escape(exhibit.inferred)}</p>')
    lines += [_table(name, output) for name in exhibit.tables]
    names = [f"figures/{n}.svg" for n in exhibit.figures] + [f"tables/{n}.csv" for n in exhibit.tables]
    if names:
        lines.append(f'<p class="small">Files: {", ".join(f"<code>{escape(name)}</code>" for name in names)}</p>')
    return "\n".join([*lines, "</section>"])


def _figure(name: str, title: str, output: Path) -> str:
    content = base64.b64encode((output / "figures" / f"{name}.png").read_bytes()).decode("ascii")
    return f'<figure><img alt="{escape(title)}" src="data:image/png;base64,{content}"></figure>'


def _claim(claim: Claim) -> str:
    stated = f' <span class="small">Paper: {escape(claim.paper)}.</span>' if claim.paper else ""
    return (
        f'<div class="claim {CLASSES[claim.holds]}"><p>{_badge(claim)} '
        f"<strong>{escape(_upper(claim.words))}.</strong>{_added(claim)}{stated}</p>"
        f"<p>{escape(claim.sentence)}</p></div>"
    )


def _badge(claim: Claim) -> str:
    return f'<span class="badge {CLASSES[claim.holds]}">{claim.holds}</span>'


def _table(name: str, output: Path) -> str:
    rows = read_table(output / "tables", name)
    if not rows or len(rows) > SHOWN_ROWS:
        return ""
    head = "".join(f"<th>{escape(column.replace('_', ' '))}</th>" for column in rows[0])
    body = "\n".join("<tr>" + "".join(_cell(value) for value in row.values()) + "</tr>" for row in rows)
    return f'<div class="scroll"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table></div>'


def _cell(value: str) -> str:
    try:
        number = float(value)
    except ValueError:
        return f"<td>{escape(value) or '–'}</td>"
    text = value if "." not in value else f"{number:.3f}"
    return f'<td class="number">{escape(text)}</td>'


def _upper(words: str) -> str:
    return words[:1].upper() + words[1:]
