"""Rules about the code itself: who imports whom, and what a module says of itself."""

import ast
import graphlib
import subprocess
import sys
from pathlib import Path

import pytest

REPO_DIR = Path(__file__).resolve().parent.parent
STAGES = ("translate", "refine", "train", "data_cards")
TOY = "sceneworld"
FRONT_DOOR = "palo/cli.py"
HEAVY = ("torch", "vllm", "ray", "transformers", "pandas")
FILES = {
    path.relative_to(REPO_DIR).as_posix(): path.read_text(encoding="utf-8")
    for package in (*STAGES, TOY, "palo", "benchmarks")
    for path in sorted((REPO_DIR / package).rglob("*.py"))
}
OF_PALO = [name for name in FILES if name.startswith("palo/") and name != FRONT_DOOR]


def imported(name):
    """The top packages that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(FILES[name])):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}:{node.lineno} is a relative import"
            found.add(node.module)
    return {module.split(".")[0] for module in found}


def imported_files(name, names):
    """The files that a file imports, as their modules' names, wherever in it and for types too."""
    found = set()
    for node in ast.walk(ast.parse(FILES[name])):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found & names


def module_of(name):
    return name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def test_no_files_import_each_other_in_a_circle():
    names = {module_of(name) for name in FILES}
    graph = {module_of(name): imported_files(name, names) - {module_of(name)} for name in FILES}
    order = [*graphlib.TopologicalSorter(graph).static_order()]  # raises CycleError with the circle
    assert {*order} == names


def test_there_is_code_of_every_package_to_look_at():
    assert {name.split("/")[0] for name in FILES} >= {*STAGES, TOY, "palo"}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_imports_no_other_stage(stage):
    others = {*STAGES} - {stage}
    wrong = {
        name: sorted(imported(name) & others) for name in FILES if name.startswith(f"{stage}/")
    }
    assert {name: stages for name, stages in wrong.items() if stages} == {}


def test_palo_imports_no_stage_but_in_the_front_door():
    wrong = {name: sorted(imported(name) & {*STAGES, TOY}) for name in OF_PALO}
    assert {name: stages for name, stages in wrong.items() if stages} == {}
    assert imported(FRONT_DOOR) >= {"translate", "refine", "train", "sceneworld"}


def test_nothing_real_imports_the_toy_world():
    toyish = {name for name in FILES if TOY in imported(name)}
    assert {name for name in toyish if name.split("/")[0] not in (TOY, "benchmarks")} == {
        FRONT_DOOR
    }


def loaded_after(modules, wanted):
    """Which of the wanted modules are loaded once all modules are, in a process of its own."""
    program = (
        f"import importlib, sys\nfor name in {modules!r}: importlib.import_module(name)\n"
        f"print([name for name in {wanted!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=REPO_DIR, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return ast.literal_eval(done.stdout)


def modules_of(*packages):
    """Importable names of every file of the packages; running `palo.__main__` is no import."""
    names = [module_of(name) for name in FILES if name.split("/")[0] in packages]
    return [name for name in names if not name.endswith("__main__")]


def test_importing_palo_translate_and_refine_loads_no_heavy_library():
    modules = modules_of("palo", "translate", "refine")
    assert {"palo.cli", "translate.cli", "refine.cli"} <= {*modules}
    assert loaded_after(modules, HEAVY) == []
    assert loaded_after(["json"], ("json", *HEAVY)) == ["json"]  # the look itself sees


def test_every_file_begins_by_saying_what_it_does():
    silent = [
        name for name, text in FILES.items() if text and not ast.get_docstring(ast.parse(text))
    ]
    assert silent == []


def test_no_module_is_named_after_nothing():
    nouns = {Path(name).stem for name in FILES}
    assert nouns & {"utils", "util", "common", "helpers", "misc", "base"} == set()


def calls(name):
    """The attribute and function names that a file calls."""
    nodes = (node for node in ast.walk(ast.parse(FILES[name])) if isinstance(node, ast.Call))
    return {getattr(node.func, "attr", getattr(node.func, "id", "")) for node in nodes}


def test_shards_are_read_and_written_in_one_module_and_databases_opened_in_one():
    product = [name for name in FILES if not name.startswith("benchmarks/")]
    parquet = [name for name in product if calls(name) & {"write_table", "read_table"}]
    assert parquet == ["palo/shards.py"]
    sqlite = [name for name in product if "sqlite3" in imported(name)]
    assert sqlite == ["palo/memory.py"]
