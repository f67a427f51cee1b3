"""Writes a report folder: the record, Markdown, and the HTML page where matplotlib is there."""

import logging
from pathlib import Path

from edge_codec.benchmarks.benches import Measured
from edge_codec.benchmarks.record import record_name, write_record
from edge_codec.benchmarks.report.markdown import render_markdown

_log = logging.getLogger(__name__)


def write_report(folder: Path, measured: Measured) -> list[Path]:
    """Write record and report into `folder`; gives the files."""
    record = measured.record
    path = folder / record_name(record)
    write_record(path, record)
    markdown = path.with_suffix(".md")
    markdown.write_text(render_markdown(record), encoding="utf-8")
    return [path, markdown, *_write_page(path.with_suffix(".html"), measured)]


def _write_page(path: Path, measured: Measured) -> list[Path]:
    try:
        from edge_codec.benchmarks.report.html import render_html  # noqa: PLC0415  matplotlib
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":
            raise
        _log.warning("no page with plots: pip install 'edge-codec[bench]'")
        return []
    path.write_text(render_html(measured), encoding="utf-8")
    return [path]
