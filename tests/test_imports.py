"""The arrows between packages, rooms and modules: which of them may import which."""

import ast
from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("bundle", "export", "rn", "rn_model", "service")
FORBIDDEN = {
    "bundle": {"torch", "export", "rn", "rn_model", "service"},
    "export": {"rn", "service"},
    "rn_model": {"export", "rn", "service"},
    "service": {"torch", "export", "rn", "rn_model"},
}
MAX_FILES = 14

Graph = dict[str, set[str]]
Order = Sequence[str]

# The rooms of a package, from the top down. A room is a folder or a module of the package; it imports
# only from rooms on lines below its own, never from a room beside it. The package's own `__init__`
# stands above all of them.
ORDERS: Mapping[str, Order] = {
    "bundle": (
        "inspection",
        "reading writing",
        "interface runtime signing",
        "loaded",
        "fold",
        "manifest moments scores errors",
        "preprocessing",
        "images",
        "extras files text",
    ),
    "export": (
        "from_run from_weights",
        "pretrained",
        "exporter",
        "guard_calibration",
        "assembly bundle_info input_profile preparation sample_images spread variants",
        "checks folding layouts",
        "network",
        "contract graphs",
        "errors",
    ),
    "rn": (
        "__main__ commands",
        "demonstration observing replaying",
        "load",
        "main options",
        "application termination",
        "failing progress table terminal",
    ),
    "rn_model": (
        "compare",
        "report",
        "training",
        "checks",
        "recipes runs",
        "backbones data objectives",
        "digits layers",
    ),
    "service": (
        "ray_serve",
        "app client server",
        "api",
        "lifespan",
        "models",
        "targets",
        "ledger",
        "adaptation",
        "guards inference security",
        "monitoring schemas settings",
        "errors memory vocabulary",
    ),
    "rn_model.layers": (
        "conversion diagnostics domain_split population_moments",
        "reciprocal_norm rivals",
        "domain_norm",
        "functional observation training_step",
        "affine_map distributed domains shrinkage",
        "moments",
    ),
    "rn_model.objectives": (
        "config",
        "registry",
        "ba3us bnm cdan dann etn mcc shot",
        "base parts",
    ),
}


def module_name(path: Path, root: Path) -> str:
    """Dotted name of a file's module; the ``__init__`` of a package has the package's name."""
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_names(tree: ast.Module) -> Iterator[str]:
    """Dotted names of everything that a module imports, in functions too.

    ``from a import b`` gives ``a.b``, which may be a module or a name within ``a``. Imports for type
    checkers alone are left out.
    """
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            pending += node.orelse
            continue
        pending += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def import_graph(package: str, root: Path = ROOT) -> Graph:
    """Every module of a package, with the modules of the same package that it imports."""
    folder = root.joinpath(*package.split("."))
    modules = {module_name(path, root): path for path in sorted(folder.rglob("*.py"))}
    graph: Graph = {}
    for module, path in modules.items():
        names = set(imported_names(ast.parse(path.read_text(), path)))
        found = {name if name in modules else name.rpartition(".")[0] for name in names}
        graph[module] = (found & modules.keys()) - {module}
    return graph


def find_circle(graph: Graph) -> list[str]:
    """Modules that import one another in a circle, the first also at the end; empty without a circle."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle: list[str] = error.args[1]
        return circle[::-1]
    return []


def wrong_arrows(package: str, order: Order, graph: Graph) -> list[str]:
    """Imports of a package that run against the order of its rooms, and modules in no room."""
    level = {room: number for number, rooms in enumerate(order) for room in rooms.split()}
    found = []
    for module, imported in graph.items():
        room = room_of(module, package)
        if room is None:
            continue
        if room not in level:
            found.append(f"{module} is in no room of {package}")
            continue
        for other in sorted(imported):
            below = room_of(other, package)
            if below != room and (below is None or level.get(below, -1) <= level[room]):
                found.append(f"{module} imports {other}")
    return found


def room_graph(package: str, graph: Graph) -> Graph:
    """The rooms of a package, each with the rooms that it imports from; without the package itself."""
    rooms: Graph = {}
    for module, imported in graph.items():
        room = room_of(module, package)
        if room is not None:
            others = {room_of(other, package) for other in imported} - {room, None}
            rooms.setdefault(room, set()).update(other for other in others if other)
    return rooms


def room_of(module: str, package: str) -> str | None:
    """The folder or module of a package that a module belongs to; None for the package itself."""
    return module.removeprefix(package).removeprefix(".").partition(".")[0] or None


@pytest.mark.parametrize("package", FORBIDDEN)
def test_packages_import_one_way(package: str) -> None:
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    for path in files:
        tops = {name.partition(".")[0] for name in imported_names(ast.parse(path.read_text()))}
        assert not FORBIDDEN[package] & tops, path


@pytest.mark.parametrize("package", PACKAGES)
def test_no_modules_import_each_other_in_a_circle(package: str) -> None:
    graph = import_graph(package)
    assert graph
    assert not find_circle(graph)


@pytest.mark.parametrize("package", PACKAGES)
def test_no_rooms_import_each_other_in_a_circle(package: str) -> None:
    for folder in {path.parent for path in (ROOT / package).rglob("__init__.py")}:
        name = module_name(folder / "__init__.py", ROOT)
        assert not find_circle(room_graph(name, import_graph(name))), name


@pytest.mark.parametrize("package", ORDERS)
def test_rooms_import_one_way(package: str) -> None:
    assert not wrong_arrows(package, ORDERS[package], import_graph(package))


@pytest.mark.parametrize("package", PACKAGES)
def test_no_folder_is_crowded(package: str) -> None:
    folders = {path.parent for path in (ROOT / package).rglob("*.py")}
    crowded = {folder for folder in folders if len(list(folder.glob("*.py"))) > MAX_FILES}
    assert not crowded


def test_rn_model_has_only_rooms() -> None:
    files = {path.name for path in (ROOT / "rn_model").iterdir() if path.is_file()}
    assert files == {"__init__.py", "py.typed"}


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A package ``house`` with two rooms, of which ``cellar`` lies below ``kitchen``."""
    for name, text in {
        "__init__.py": "from house.kitchen.oven import bake\n",
        "kitchen/__init__.py": "",
        "kitchen/oven.py": "from house import cellar\nimport house.kitchen.table\nbake = cellar\n",
        "kitchen/table.py": "import house.cellar\n",
        "cellar.py": "import os\n",
    }.items():
        path = tmp_path / "house" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


ORDER = ("kitchen", "cellar")
HIDDEN = "def open_door():\n    from house.kitchen import oven\n    return oven\n"
FOR_TYPES = "import typing\nif typing.TYPE_CHECKING:\n    from house.kitchen import oven\n"


def test_a_tidy_house_passes(house: Path) -> None:
    graph = import_graph("house", house)
    assert graph["house.kitchen.oven"] == {"house.cellar", "house.kitchen.table"}
    assert not find_circle(graph)
    assert not wrong_arrows("house", ORDER, graph)


def test_an_import_inside_a_function_counts(house: Path) -> None:
    (house / "house" / "cellar.py").write_text(HIDDEN)
    graph = import_graph("house", house)
    assert set(find_circle(graph)) == {"house.cellar", "house.kitchen.oven"}
    assert wrong_arrows("house", ORDER, graph) == ["house.cellar imports house.kitchen.oven"]


def test_a_circle_of_rooms_without_a_circle_of_modules_is_found(house: Path) -> None:
    (house / "house" / "kitchen" / "shelf.py").write_text("")
    (house / "house" / "cellar.py").write_text("import house.kitchen.shelf\n")
    graph = import_graph("house", house)
    assert not find_circle(graph)
    assert set(find_circle(room_graph("house", graph))) == {"kitchen", "cellar"}


def test_an_import_for_type_checkers_does_not_count(house: Path) -> None:
    (house / "house" / "cellar.py").write_text(FOR_TYPES)
    graph = import_graph("house", house)
    assert not find_circle(graph)
    assert not wrong_arrows("house", ORDER, graph)


def test_rooms_side_by_side_and_unknown_rooms_are_reported(house: Path) -> None:
    graph = import_graph("house", house)
    assert len(wrong_arrows("house", ("kitchen cellar",), graph)) == 2
    assert "house.cellar is in no room of house" in wrong_arrows("house", ("kitchen",), graph)
