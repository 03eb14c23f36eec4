"""Format a report of an estate as one HTML file or as Markdown.

The HTML has no script, no link to another file and no font of its own: it opens offline
and prints as it is.
"""

import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ReportTable:
    """Table of a report.

    Attributes:
        note: Sentence below the title.
        more: Number of rows that are not shown.
    """

    title: str
    heads: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    note: str = ""
    more: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """Report of an estate.

    Attributes:
        stamp: Time and snapshot, as one line.
        answers: Questions with their answers.
        paths: Title of a finding, with the steps of its path.
        answers_title: Title above the answers.
    """

    title: str
    stamp: str
    answers: Sequence[tuple[str, str]]
    tables: Sequence[ReportTable]
    paths: Sequence[tuple[str, Sequence[str]]] = field(default_factory=tuple)
    answers_title: str = "Six questions"


_STYLE = """
:root{color-scheme:light dark;--line:#d0d4d9;--quiet:#59636e}
@media (prefers-color-scheme:dark){:root{--line:#3d444d;--quiet:#9198a1}}
body{font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.6rem;margin:0}h2{font-size:1.15rem;margin:2rem 0 .5rem}
p.quiet,td.quiet{color:var(--quiet)}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;vertical-align:top;padding:.35rem .75rem .35rem 0;
border-bottom:1px solid var(--line);overflow-wrap:anywhere}
th{font-weight:600;white-space:nowrap}
dt{font-weight:600;margin-top:.6rem}dd{margin:0}
ol.path{list-style:none;padding:0;margin:.25rem 0 1rem}
ol.path li{border-left:2px solid var(--line);padding:.15rem 0 .15rem .75rem}
@media print{body{margin:0;max-width:none}h2{break-after:avoid}tr,li{break-inside:avoid}}
"""


def iterate_html_lines(report: Report) -> Iterator[str]:
    """Yield the lines of the HTML file."""
    yield '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width,initial-scale=1">'
    yield '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
    yield "style-src 'unsafe-inline'\">"
    yield f"<title>{_escape_html(report.title)}</title><style>{_STYLE}</style></head><body>"
    yield f"<h1>{_escape_html(report.title)}</h1><p class=quiet>{_escape_html(report.stamp)}</p>"
    yield f"<h2>{_escape_html(report.answers_title)}</h2><dl>"
    for question, answer in report.answers:
        yield f"<dt>{_escape_html(question)}</dt><dd>{_escape_html(answer)}</dd>"
    yield "</dl>"
    if report.paths:
        yield "<h2>Gravest paths</h2>"
    for title, steps in report.paths:
        yield f"<p>{_escape_html(title)}</p><ol class=path>"
        yield "".join(f"<li>{_escape_html(each)}</li>" for each in steps)
        yield "</ol>"
    for table in report.tables:
        yield from _iterate_table(table)
    yield "</body></html>"


def _iterate_table(table: ReportTable) -> Iterator[str]:
    """Yield the lines of a table."""
    yield f"<h2>{_escape_html(table.title)}</h2>"
    if table.note:
        yield f"<p class=quiet>{_escape_html(table.note)}</p>"
    if table.rows:
        heads = "".join(f"<th>{_escape_html(each)}</th>" for each in table.heads)
        yield f"<table><thead><tr>{heads}</tr></thead><tbody>"
        for row in table.rows:
            yield f"<tr>{''.join(f'<td>{_escape_html(cell)}</td>' for cell in row)}</tr>"
        yield "</tbody></table>"
    if table.more:
        yield f"<p class=quiet>{table.more:,} more are not shown.</p>"


def _escape_html(value: str) -> str:
    """Escape a text."""
    return html.escape(value)


def iterate_markdown_lines(report: Report) -> Iterator[str]:
    """Yield the lines of the Markdown file."""
    yield f"# {escape_markdown(report.title)}"
    yield ""
    yield escape_markdown(report.stamp)
    yield ""
    yield f"## {report.answers_title}"
    yield ""
    for question, answer in report.answers:
        yield f"- **{escape_markdown(question)}** {escape_markdown(answer)}"
    if report.paths:
        yield from ("", "## Gravest paths", "")
    for title, steps in report.paths:
        yield f"- {escape_markdown(title)}"
        yield from (f"    1. {escape_markdown(each)}" for each in steps)
    for table in report.tables:
        yield from ("", f"## {escape_markdown(table.title)}", "")
        if table.note:
            yield from (escape_markdown(table.note), "")
        if table.rows:
            yield _format_row(table.heads)
            yield "|" + "---|" * len(table.heads)
            yield from (_format_row(each) for each in table.rows)
        if table.more:
            yield from ("", f"{table.more:,} more are not shown.")


def _format_row(cells: Sequence[str]) -> str:
    """Format one row."""
    return "| " + " | ".join(map(escape_markdown, cells)) + " |"


def escape_markdown(value: str) -> str:
    """Escape a text, so that it adds no markup, link or mention."""
    plain = html.escape(value.replace("\n", " "), quote=False)
    for mark in "\\`*_[]|#!~":
        plain = plain.replace(mark, f"\\{mark}")
    return plain.replace("@", "@\u200b")
