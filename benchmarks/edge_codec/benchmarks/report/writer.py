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
    return [path, markdown]
