"""A record as one self-contained HTML page: no script, no network, light and dark, any width."""

import re
from collections.abc import Iterator
from html import escape

from edge_codec.benchmarks.benches import Measured
from edge_codec.benchmarks.report.markdown import render_markdown
from edge_codec.benchmarks.report.plots import plot_all
from edge_codec.benchmarks.report.sound import choose, player, spectrogram

_STYLE = """
:root { color-scheme: light dark; --ink: #1d1d1b; --soft: #62605a; --page: #fdfcf9;
  --card: #f4f2ec; --line: #dcd9d0; --link: #1f62b5; }
@media (prefers-color-scheme: dark) { :root { --ink: #e9e7e1; --soft: #a5a299; --page: #171716;
  --card: #21211f; --line: #3a3935; --link: #7fb2f0; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 70rem; padding: 1rem clamp(0.8rem, 3vw, 2rem) 4rem;
  font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page); }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0.5rem 0; }
h2 { font-size: 1.15rem; margin: 2.2rem 0 0.6rem; }
p { margin: 0.4rem 0; color: var(--soft); }
.warning { color: var(--ink); border-left: 3px solid #d98a00; padding-left: 0.7rem; }
.grid { display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 21rem), 1fr)); }
figure { margin: 0; padding: 0.7rem; background: var(--card); border: 1px solid var(--line);
  border-radius: 8px; min-width: 0; }
figcaption { font-weight: 600; margin-bottom: 0.4rem; }
figure svg { width: 100%; height: auto; display: block; }
figure svg text { font-family: system-ui, sans-serif !important; }
figure img { width: 100%; display: block; border-radius: 4px; margin-bottom: 0.5rem; }
audio { width: 100%; height: 2.4rem; display: block; }
.table { overflow-x: auto; border: 1px solid var(--line); border-radius: 8px; }
table { border-collapse: collapse; font-size: 0.86rem; width: 100%; white-space: nowrap;
  font-variant-numeric: tabular-nums; }
th, td { padding: 0.28rem 0.7rem; text-align: right; border-top: 1px solid var(--line); }
thead th { border-top: 0; color: var(--soft); font-weight: 600; background: var(--card); }
td:first-child, th:first-child { text-align: left; position: sticky; left: 0;
  background: var(--page); }
thead th:first-child { background: var(--card); }
"""


def render_html(measured: Measured) -> str:
    """The whole page."""
    record = measured.record
    title = f"{record.model} on {record.board.model or record.board.cpu}"
    body = "\n".join(_body(measured))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n<body>{body}</body></html>\n"
    )


def _body(measured: Measured) -> Iterator[str]:
    head, *sections = render_markdown(measured.record).split("\n## ")
    yield from _head(head)
    yield _grid(plot_all(measured.record))
    yield from _sounds(measured)
    for section in sections:
        heading, _, content = section.partition("\n")
        yield f"<h2>{escape(heading)}</h2>"
        yield _table(content) if "| --- |" in content else _list(content)


def _head(text: str) -> Iterator[str]:
    title, *lines = filter(None, text.splitlines())
    yield f"<h1>{escape(title.removeprefix('# '))}</h1>"
    for line in lines:
        kind = ' class="warning"' if line.startswith("Warning") else ""
        yield f"<p{kind}>{escape(line)}</p>"


def _grid(figures: Iterator[tuple[str, str]]) -> str:
    cells = (
        f"<figure><figcaption>{escape(caption)}</figcaption>{content}</figure>"
        for caption, content in figures
    )
    return f'<div class="grid">{"".join(cells)}</div>'


def _sounds(measured: Measured) -> Iterator[str]:
    for clip, heard in measured.heard.items():
        yield f"<h2>Listen: {escape(clip)}</h2>"
        yield _grid(
            (name, spectrogram(samples_T) + player(samples_T))
            for name, samples_T in choose(heard).items()
        )


def _table(markdown: str) -> str:
    rows = [re.split(r"\s*\|\s?", line.strip()[1:-1]) for line in markdown.strip().splitlines()]
    head, _, *body = rows
    cells = "".join(f"<th>{escape(cell.strip())}</th>" for cell in head)
    lines = "".join(
        f"<tr>{''.join(f'<td>{escape(cell.strip())}</td>' for cell in row)}</tr>" for row in body
    )
    table = f"<table><thead><tr>{cells}</tr></thead><tbody>{lines}</tbody></table>"
    return f'<div class="table">{table}</div>'


def _list(markdown: str) -> str:
    items = (line.removeprefix("- ") for line in markdown.splitlines() if line.strip())
    return f"<ul>{''.join(f'<li>{escape(item)}</li>' for item in items)}</ul>"
