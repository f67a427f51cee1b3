"""Reports: a page that needs nothing but itself, and says what the record says."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from edge_codec.benchmarks.benches import Measured, Plan, measure
from edge_codec.benchmarks.record import LinkRun, QualityRun
from edge_codec.benchmarks.report import render_markdown, write_report
from edge_codec.runtime.quality import Mean
from support.stub_bundle import STUB_BUNDLE

SECOND_T = np.random.default_rng(0).standard_normal(16_000).astype(np.float32) * 0.1
MEASURES = ("visqol", "pesq_wb", "stoi", "estoi", "mel", "si_sdr_db")


def make_quality(codec, bitrate_bps):
    means = {name: Mean(mean=2.0, half_width_95=0.1) for name in MEASURES}
    return QualityRun(
        codec=codec, precision="", bitrate_bps=bitrate_bps, means=means, pesq_floored=0, scores={}
    )


def make_link(system, channel, level):
    return LinkRun(
        system=system,
        gross_bps=3267,
        codec_bps=3000,
        overhead=0.089,
        latency_ms=540,
        channel=channel,
        level=level,
        base_lost=0,
        layers_lost=0,
        estoi=Mean(mean=0.8, half_width_95=0.1),
    )


@pytest.fixture(scope="module")
def measured():
    plan = Plan(what="latency", model=str(STUB_BUNDLE), seconds=0.3, has_peers=False)
    record = replace(
        measure(plan).record,
        quality=[make_quality("stub 1k", 1000), make_quality("Lyra v2 6k", 6000)],
        link=[make_link("P3000", "ber", 0.0), make_link("P3000", "loss", 0.1)],
        skipped={"Opus <6k>": "not & installed"},
    )
    return Measured(record, {"clip": {"original": SECOND_T, "stub 6k": SECOND_T}})


def test_markdown_has_every_section(measured):
    shown = render_markdown(measured.record)
    for title in ("Stages, 20 ms a call", "Quality", "ESTOI after lost packets", "Not measured"):
        assert f"\n## {title}" in shown
    assert "| Lyra v2 6k | 6.0 | 2.00 ± 0.10 |" in shown


class Page(HTMLParser):
    """Checks that tags close, and keeps what a page would load."""

    VOID = frozenset({"meta", "img", "br", "link", "input", "hr"})

    def __init__(self):
        super().__init__()
        self.open, self.loads, self.tags = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.loads += [value for name, value in attrs if name in ("src", "href", "xlink:href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_needs_nothing_but_itself(measured, tmp_path):
    pytest.importorskip("matplotlib")
    paths = write_report(tmp_path, measured)
    assert [path.suffix for path in paths] == [".json", ".md", ".html"]
    text = paths[2].read_text()
    page = Page()
    page.feed(text)
    assert page.open == []
    assert page.tags.count("audio") == 2
    assert page.tags.count("svg") >= 10
    assert all(load.startswith(("data:", "#")) for load in page.loads)
    assert "script" not in page.tags
    assert "prefers-color-scheme: dark" in text
    assert "Opus &lt;6k&gt;: not &amp; installed" in text
    assert "#010203" not in text
    assert len(re.findall(r"<h2>", text)) >= 5
