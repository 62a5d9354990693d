"""The house rules of DESIGN.md that a machine can check: who imports whom, and what is light."""

import ast
import subprocess
import sys
from pathlib import Path

import hypothesis
import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("schemas", "streams", "sinks", "trainers", "serving", "still")
SOURCES = sorted(file for package in PACKAGES for file in (ROOT / package).rglob("*.py"))
HOMES = {
    "faust": {"streams/agents.py", "streams/consumer.py"},
    "peft": {"trainers/adapter.py"},
    "clickhouse_connect": {"sinks/clickhouse/client.py"},
}


def _imports(file: Path) -> set[str]:
    """Every module that a file imports, anywhere in it, with dots."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def _name(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("file", SOURCES, ids=_name)
def test_imports_point_one_way(file: Path) -> None:
    """Siblings never import each other, nothing imports `still`, and `schemas` imports nobody."""
    home = _name(file).split("/")[0]
    allowed = set(PACKAGES) if home == "still" else {home, "schemas"}
    ours = {name.split(".")[0] for name in _imports(file)} & set(PACKAGES)
    assert ours <= allowed


@pytest.mark.parametrize("library", HOMES)
def test_library_stays_in_its_home(library: str) -> None:
    """faust, peft and the ClickHouse client are known to one place each."""
    users = {_name(file) for file in SOURCES if library in {name.split(".")[0] for name in _imports(file)}}
    assert users <= HOMES[library]


@pytest.mark.parametrize("file", SOURCES, ids=_name)
def test_no_local_imports_of_our_own(file: Path) -> None:
    """Our own modules are imported at the top, where a reader sees the direction."""
    for function in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
            for node in ast.walk(function):
                if isinstance(node, ast.ImportFrom) and node.module:
                    assert node.module.split(".")[0] not in PACKAGES, f"line {node.lineno}"


def test_there_is_no_import_cycle() -> None:
    """Our modules import each other without a circle."""
    graph = {_dotted(file): _imports(file) for file in SOURCES}
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join((*path, module))
        if module not in done:
            for target in graph[module] & graph.keys() - {module}:
                visit(target, (*path, module))
            done.add(module)

    for module in graph:
        visit(module, ())


def _dotted(file: Path) -> str:
    return _name(file).removesuffix(".py").removesuffix("/__init__").replace("/", ".")


@pytest.mark.parametrize("package", ["schemas", "streams", "sinks"])
def test_light_packages_never_load_torch(package: str) -> None:
    """Importing every module of the light packages loads neither torch nor transformers."""
    modules = [_dotted(file) for file in SOURCES if _name(file).startswith(f"{package}/") and file.stem != "__main__"]
    code = f"import importlib, sys\nfor m in {modules!r}: importlib.import_module(m)\n"
    code += "assert not {'torch', 'transformers'} & set(sys.modules)"
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, cwd=ROOT, timeout=60)


def test_help_is_light() -> None:
    """`still --help` loads nothing that takes time."""
    code = "import sys; from still.__main__ import main; main(['--help'])\n"
    code += "assert not {'typer', 'rich', 'torch', 'faust', 'confluent_kafka', 'pydantic'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, timeout=60, capture_output=True)


def test_no_law_fails_by_the_clock() -> None:
    """A loaded machine makes no example wrong; a law that sets nothing itself has no deadline."""
    assert hypothesis.settings().deadline is None
