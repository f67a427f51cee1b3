"""The folders are five portions of one namespace, and the code keeps the sizes it promises."""

import ast
import subprocess

import pytest

from support.repository import PACKAGES, PARTS, REPOSITORY, modules, read_project

MAX_MODULE_LINES = 350
MAX_FUNCTION_LINES = 60
NINE_IN_TEN_LINES = 35
NAMELESS = {"utils", "helpers", "common", "misc", "base"}


@pytest.mark.parametrize("part", PARTS)
def test_a_part_is_a_portion_of_the_namespace(part):
    # One __init__.py beside the package would hide the other four.
    assert not (PACKAGES[part].parent / "__init__.py").exists()
    assert (PACKAGES[part] / "py.typed").is_file()
    assert "__all__" in (PACKAGES[part] / "__init__.py").read_text()


@pytest.mark.parametrize("part", PARTS)
def test_a_source_root_holds_nothing_importable_but_the_namespace(part):
    root = REPOSITORY / part
    strays = [*root.glob("*.py"), *root.glob("*/*.py")]
    assert strays == []
    assert [path.name for path in (root / "edge_codec").iterdir() if path.is_dir()] == [part]


def test_every_tool_knows_the_five_source_roots():
    tool = read_project()["tool"]
    assert set(tool["hatch"]["build"]["dev-mode-dirs"]) == set(PARTS)
    assert set(tool["mypy"]["mypy_path"]) == set(PARTS)
    assert set(tool["pytest"]["ini_options"]["pythonpath"]) == {*PARTS, "tests"}
    assert set(tool["ruff"]["src"]) == {*PARTS, "tests"}


def _name(path):
    return path.relative_to(REPOSITORY).as_posix()


@pytest.mark.parametrize("path", modules(), ids=_name)
def test_a_module_has_a_name_a_purpose_and_a_size(path):
    source = path.read_text()
    assert path.stem not in NAMELESS
    assert ast.get_docstring(ast.parse(source)), "its first lines say what it may and may not know"
    assert len(source.splitlines()) <= MAX_MODULE_LINES


def test_functions_are_short():
    lines_by_name = {
        f"{_name(path)}:{node.name}": _body_lines(node)
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name for name, lines in lines_by_name.items() if lines > MAX_FUNCTION_LINES} == set()
    by_length = sorted(lines_by_name.values())
    assert by_length[len(by_length) * 9 // 10] < NINE_IN_TEN_LINES


def _body_lines(function):
    """Lines of a function without its docstring."""
    docstring = function.body[0] if ast.get_docstring(function) else None
    skipped = docstring.end_lineno - docstring.lineno + 1 if docstring else 0
    return function.end_lineno - function.lineno + 1 - skipped


def test_nothing_unpickles():
    unsafe = r"allow_pickle=True|\bpickle\.|torch\.load\("
    found = subprocess.run(
        ["git", "grep", "-nE", unsafe, "--", "*.py", ":!tests/contract"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.stdout == ""
