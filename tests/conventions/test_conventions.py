"""Conventions are tests: layout, room labels, sizes, documentation, and what must never be in the project."""

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("zz_pipeline", "assets", "schedules", "expectations", "mock_platforms")
MODULES = sorted(p for room in ROOMS for p in (ROOT / room).rglob("*.py") if "versions" not in p.parts)
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    return [ROOT / name for name in listed if (ROOT / name).is_file()]


def functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    tree = ast.parse(path.read_text("utf-8"))
    return [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]


def test_the_top_level_names_given_by_the_user_are_there():
    given = (
        "pyproject.toml",
        "zz_pipeline",
        "assets",
        "schedules",
        "expectations",
        "mock_platforms",
        "tests",
        "workspace.yaml",
    )
    ours = ("config", "docs", "dagster.yaml", "Makefile", "README.md", "CHANGELOG.md", "requirements.lock", ".ci/run")
    missing = [name for name in (*given, *ours) if not (ROOT / name).exists()]
    assert not missing


def test_each_module_says_what_belongs_in_it_and_what_must_not():
    silent = []
    for path in MODULES:
        text = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
        if not ("Belongs here" in text and "Must not" in text):
            silent.append(str(path.relative_to(ROOT)))
    assert not silent


def test_no_module_is_longer_than_four_hundred_lines():
    long = {str(p.relative_to(ROOT)): n for p in MODULES if (n := p.read_text("utf-8").count("\n")) > 400}
    assert not long


def test_no_function_is_longer_than_sixty_lines():
    long = [
        f"{p.relative_to(ROOT)}:{f.lineno} {f.name}"
        for p in MODULES
        for f in functions(p)
        if (f.end_lineno or f.lineno) - f.lineno + 1 > 60
        and not any(isinstance(n, ast.FunctionDef) for n in ast.walk(f) if n is not f)
    ]
    assert not long


def test_an_asset_is_an_adapter_of_at_most_twenty_lines():
    long = []
    for path in (ROOT / "assets").glob("*.py"):
        for f in functions(path):
            decorators = [ast.unparse(d) for d in f.decorator_list]
            body_lines = (f.end_lineno or f.lineno) - f.lineno + 1
            if any(d.startswith("dg.asset") for d in decorators) and body_lines > 20:
                long.append(f"{path.name}:{f.name} {body_lines}")
    assert not long


def test_the_name_of_every_test_is_a_sentence():
    short = [
        f"{p.name}:{f.name}"
        for p in TESTS
        for f in functions(p)
        if f.name.startswith("test_") and f.name.count("_") < 4
    ]
    assert not short


def test_every_suppression_gives_its_reason_beside_it():
    bare = re.compile(r"#\s*(noqa|type:\s*ignore|pragma: no cover)[^-\n]*$")
    places = []
    for path in [*MODULES, *TESTS]:
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            if bare.search(line) and "bare = re.compile" not in line:
                places.append(f"{path.relative_to(ROOT)}:{number}")
    assert not places


def test_the_lock_has_hashes_for_every_package_and_names_no_index():
    text = (ROOT / "requirements.lock").read_text("utf-8")
    packages = re.findall(r"^[a-zA-Z0-9_.\-\[\]]+==", text, re.M)
    assert len(packages) > 50
    assert all("--hash=sha256:" in part for part in re.split(r"^(?=[a-zA-Z0-9_.\-\[\]]+==)", text, flags=re.M)[1:])
    assert "://" not in text
    assert "index-url" not in text


@pytest.mark.parametrize(
    ("what", "pattern"),
    [
        ("a path of somebody's machine", r"(?<![\w.])/(work|root|home/\w+)/"),
        ("a package registry's address", r"https?://[^\s\"']*(pypi|pythonhosted|npmjs|debian\.org)"),
    ],
)
def test_no_tracked_file_holds(what, pattern):
    found = []
    for path in tracked():
        if path == Path(__file__).resolve() or path.suffix in {".png", ".xlsx", ".docx", ".db"}:
            continue
        text = path.read_text("utf-8", errors="replace")
        if re.search(pattern, text):
            found.append(str(path.relative_to(ROOT)))
    assert not found, what


def test_the_readme_names_every_command_and_every_make_target():
    readme = (ROOT / "README.md").read_text("utf-8")
    from zz_pipeline.cli import app

    commands = [c.name or c.callback.__name__ for c in app.registered_commands if c.callback]
    targets = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text("utf-8"), re.M)
    missing = [f"zz {c}" for c in commands if f"zz {c}" not in readme] + [
        f"make {t}" for t in targets if f"make {t}" not in readme
    ]
    assert not missing


def test_the_packages_in_pyproject_are_the_rooms_of_the_house():
    found = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["packages"]["find"][
        "include"
    ]
    assert {name.rstrip("*") for name in found} == set(ROOMS)


def test_importing_the_core_starts_neither_dagster_nor_great_expectations():
    code = (
        "import sys, zz_pipeline.night, zz_pipeline.cli, zz_pipeline.backfill, zz_pipeline.doctor;"
        "print([m for m in ('dagster', 'great_expectations', 'mock_platforms', 'expectations') if m in sys.modules])"
    )
    python = ROOT / ".venv" / "bin" / "python"
    result = subprocess.run([str(python), "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_importing_the_definitions_loads_neither_great_expectations_nor_pandas():
    code = (
        "import sys, zz_pipeline.definitions; print([m for m in ('great_expectations', 'pandas') if m in sys.modules])"
    )
    python = ROOT / ".venv" / "bin" / "python"
    result = subprocess.run([str(python), "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
