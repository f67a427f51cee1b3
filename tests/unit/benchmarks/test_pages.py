"""Every figure in README and docs comes from a record in the repository."""

import re

import pytest

from edge_codec.benchmarks.pages import PAGES, render_page
from edge_codec.benchmarks.record import load_record
from edge_codec.benchmarks.reports import REPORTS
from edge_codec.runtime.errors import ConfigError
from support.repository import REPOSITORY

RECORDS = sorted(REPORTS.rglob("*.json"))
BLOCK = re.compile(r"<!-- bench: [\w-]+ -->\n.*?<!-- end -->", re.DOTALL)
DEFINITIONS = ("| measure | says | best |", "| | `voice-s` | `voice-m` |")
"""Tables that measure nothing: what measures mean, and what models are made of."""


@pytest.mark.parametrize("name", PAGES)
def test_pages_are_what_the_records_say(name):
    text = (REPOSITORY / name).read_text(encoding="utf-8")
    assert BLOCK.search(text)
    assert render_page(text) == text, "run make bench-pages"


@pytest.mark.parametrize("name", PAGES)
def test_no_table_of_figures_is_typed(name):
    typed = BLOCK.sub("", (REPOSITORY / name).read_text(encoding="utf-8"))
    tables = re.findall(r"(?:^\|.*\|\n)+", typed, re.MULTILINE)
    figures = [t for t in tables if re.search(r"\d\.\d", t) and not t.startswith(DEFINITIONS)]
    assert figures == []


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_records_can_be_read_and_name_nobody(path):
    record = load_record(path)
    assert not re.search(r"/(home|root|work|tmp|Users)/", path.read_text(encoding="utf-8"))
    assert record.board.emulated == (path.parent.name not in ("x86_64", "aarch64"))
    assert not (record.board.emulated and record.latency), "an emulated board has no time"


def test_an_unknown_table_is_refused():
    with pytest.raises(ConfigError, match="no table 'magic'"):
        render_page("<!-- bench: magic -->\n<!-- end -->")
