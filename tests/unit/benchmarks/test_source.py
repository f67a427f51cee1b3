"""A record names its commit: changed or unlanded source is said; records are no change."""

import subprocess

import pytest

from edge_codec.benchmarks import all_records, source
from edge_codec.benchmarks.record import load_record
from edge_codec.benchmarks.reports import REPORTS
from support.repository import REPOSITORY


def git(folder, *words):
    who = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    done = subprocess.run(
        ["git", *who, "-C", folder, *words], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path):
    for name in ("runtime/codec.py", "benchmarks/reports/record.json"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("1")
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "one")
    return tmp_path


def test_a_commit_on_main_says_all(checkout):
    assert source.source_doubts(checkout) == []
    assert source.commit(checkout) == git(checkout, "rev-parse", "HEAD")


def test_changed_source_is_said_and_new_records_are_not(checkout):
    (checkout / "benchmarks/reports/record.json").write_text("2")
    assert source.source_doubts(checkout) == []
    (checkout / "runtime/codec.py").write_text("2")
    assert source.source_doubts(checkout) == ["the source has changes that no commit holds"]


def test_a_commit_that_main_lacks_is_said(checkout):
    git(checkout, "checkout", "-q", "-b", "mine")
    git(checkout, "commit", "-q", "--allow-empty", "-m", "two")
    assert source.source_doubts(checkout) == [
        f"commit {git(checkout, 'rev-parse', '--short=7', 'HEAD')} is not on main"
    ]
    git(checkout, "branch", "-D", "main")
    assert source.source_doubts(checkout) == []


def test_somebody_elses_repository_is_not_asked(checkout):
    install = checkout / "runtime"
    (checkout / "runtime/codec.py").write_text("2")
    assert (source.commit(install), source.source_doubts(install)) == ("unknown", [])


def test_records_are_made_only_of_what_has_landed(monkeypatch, capsys):
    monkeypatch.setattr(all_records, "source_doubts", lambda: ["commit abc is not on main"])
    assert all_records.main([]) == 1
    assert "not on main: land the source, then" in capsys.readouterr().err


def test_commits_of_committed_records_can_be_found():
    try:
        is_shallow = git(REPOSITORY, "rev-parse", "--is-shallow-repository") == "true"
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no git history here")
    if is_shallow:
        pytest.skip("no git history here")
    history = set(git(REPOSITORY, "log", "--format=%H").split())
    commits = {load_record(path).commit for path in REPORTS.rglob("*.json")}
    assert commits <= history
