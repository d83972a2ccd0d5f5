"""Imports go one way, and what a module may touch is written down here.

Source of the order: the picture in README.md, "The layers".
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# Each row may import from the rows above it, and from within itself.
TL_ROWS = [
    {"tl.errors", "tl.limits", "tl.raw"},
    {"tl.fast"},
    {"tl.ast", "tl.lexer", "tl.token_stream", "tl.wire"},
    {"tl.doc_comments", "tl.type_parser", "tl.names", "tl.primitives", "tl.objects"},
    {"tl.parser", "tl.core_types"},
    {"tl.bare_nesting", "tl.resolution"},
    {"tl.fields", "tl.schema", "tl.steps"},
    {"tl.diff", "tl.excerpt", "tl.merge", "tl.schema_text", "tl.dictionary"},
    {"tl.reference"},
    {"tl.registry", "tl.straight", "tl.clashes"},
    {"tl.codec", "tl.codegen", "tl.lazy"},
    {"tl.runtime", "tl.module"},
    {"tl.package"},
    {"tl.loader"},
    {"tl.smallest", "tl.sizes", "tl.findings", "tl.notation", "tl.json_builder", "tl.json_values"},
    {"tl.spans"},
    {"tl.walker", "tl.marks", "tl.palette"},
    {"tl.inspection", "tl.rows", "tl.hexdump"},
    {"tl.html_assets", "tl.html_dump", "tl.json_text", "tl.rich_dump", "tl.svg_dump"},
    {"tl.mutations"},
    {"tl.strategies.scalars"},
    {"tl.strategies.drawing", "tl.strategies.mutated"},
    {"tl.strategies", "tl.hypothesis_plugin"},
    {"tl"},
    {"tl.commands"},
    {"tl.__main__"},
]
MTPROTO_ROWS = [
    {"tl"},
    {"mtproto.errors", "mtproto.side", "mtproto.clock", "mtproto.service", "mtproto.api"},
    {"mtproto.crypto"},
    {
        "mtproto.transport",
        "mtproto.envelope",
        "mtproto.message",
        "mtproto.message_id",
        "mtproto.salts",
        "mtproto.acks",
    },
    {
        "mtproto.events",
        "mtproto.handshake",
        "mtproto.temp_keys",
        "mtproto.datacenters",
        "mtproto.credentials",
    },
    {"mtproto.session"},
    {"mtproto.connection"},
    {"mtproto.closing", "mtproto.warming"},
    {"mtproto.client", "mtproto.testing"},
    {"mtproto"},
    {"mtproto.cli"},
    {"mtproto.__main__"},
]
# Who alone may import what.
RESERVED = {
    "asyncio": {
        "mtproto.closing",
        "mtproto.warming",
        "mtproto.client",
        "mtproto.testing",
        "mtproto.cli",
        "mtproto.__main__",
    },
    "cryptg": {"mtproto.crypto.aes"},
    "gmpy2": {"mtproto.crypto.bignum"},
    "cryptography": {"mtproto.crypto.rsa_key", "mtproto.crypto.ctr"},
    "rich": {"mtproto.cli.show", "mtproto.cli.ladder", "mtproto.cli.live", "tl.rich_dump"},
    "hypothesis": {
        "tl.strategies",
        "tl.hypothesis_plugin",
        "mtproto.testing.machine",
        "mtproto.testing.fuzz.sharing",
    },
    "atheris": {"mtproto.testing.fuzz.worker"},
    "pytest": {"mtproto.testing.plugin"},
    "time": {"mtproto.clock", "mtproto.connection", "mtproto.testing", "mtproto.cli"},
    "os": {
        "tl.commands",
        "tl.lazy",
        "mtproto.credentials",
        "mtproto.transport",
        "mtproto.connection",
        "mtproto.client",
        "mtproto.testing",
        "mtproto.cli",
        "mtproto.__main__",
    },
    "random": {"tl.mutations", "mtproto.testing"},
    "secrets": set(),
    "socket": {"mtproto.cli"},
}


def modules() -> Iterator[tuple[str, Path]]:
    for package in ("tl", "mtproto"):
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


MODULES = dict(modules())


def imports(name: str) -> set[str]:
    """The modules that `name` imports when it runs; those for type checkers only are left out."""
    found: set[str] = set()
    path = MODULES[name]
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    tree = ast.parse(path.read_text("utf-8"))
    skipped = {
        id(node)
        for test in ast.walk(tree)
        if isinstance(test, ast.If) and isinstance(test.test, ast.Name) and test.test.id == "TYPE_CHECKING"
        for statement in test.body
        for node in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parents, base] if base else parents)
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                found.add(inner if inner in MODULES else base)
    return found


def row_of(name: str, rows: list[set[str]]) -> int | None:
    """The row of a module: its own, or that of the nearest package above that has one."""
    while name:
        for index, row in enumerate(rows):
            if name in row:
                return index
        name = name.rpartition(".")[0]
    return None


def tl_row(name: str) -> int | None:
    """The row of a module of `tl`; every one of them has to have its own, but in a package of packages."""
    names = {name, name.rpartition(".")[0]} - {"tl"} if name != "tl" else {"tl"}
    return next((i for i, row in enumerate(TL_ROWS) if names & row), None)


@pytest.mark.parametrize("name", [m for m in MODULES if m.startswith("tl")])
def test_tl_imports_go_one_way(name: str) -> None:
    own = tl_row(name)
    assert own is not None, f"{name} is in no row: give it one"
    for imported in imports(name):
        assert not imported.startswith("mtproto"), f"{name} imports {imported}: tl knows nothing of MTProto"
        if imported == "tl" or imported.startswith("tl."):
            row = tl_row(imported)
            assert row is not None, f"{imported} is in no row: give it one"
            assert row <= own, f"{name} imports {imported}, which is above it"


@pytest.mark.parametrize("name", [m for m in MODULES if m.startswith("mtproto")])
def test_mtproto_imports_go_one_way(name: str) -> None:
    own = row_of(name, MTPROTO_ROWS)
    assert own is not None
    for imported in imports(name):
        row = row_of(imported, MTPROTO_ROWS)
        if imported.startswith(("tl", "mtproto")) and row is not None:
            assert row <= own, f"{name} imports {imported}, which is above it"


@pytest.mark.parametrize("name", list(MODULES))
def test_some_modules_are_reserved(name: str) -> None:
    for imported in imports(name):
        allowed = RESERVED.get(imported.split(".")[0])
        if allowed is not None:
            assert any(name == a or name.startswith(f"{a}.") for a in allowed), f"{name} imports {imported}"


@pytest.mark.parametrize("name", [m for m in MODULES if m.startswith(("mtproto.api", "mtproto.service"))])
def test_generated_code_imports_the_runtime_alone(name: str) -> None:
    package = ".".join(name.split(".")[:2])
    outside = {i for i in imports(name) if not i.startswith(package)} - {"typing", "__future__"}
    assert outside <= {"tl.runtime"}


@pytest.mark.parametrize("name", [m for m in MODULES if m.split(".")[0] == "tl"])
def test_tl_needs_the_standard_library_only(name: str) -> None:
    import sys

    for imported in imports(name):
        top = imported.split(".")[0]
        # Extras; who needs one says so where it is missing, or does without.
        is_allowed = any(name == a or name.startswith(f"{a}.") for a in RESERVED.get(top, ()))
        assert top == "tl" or top in sys.stdlib_module_names or is_allowed, f"{name} imports {imported}"


@pytest.mark.parametrize("name", list(MODULES))
def test_no_assertion_checks_what_a_peer_sent(name: str) -> None:
    asserts = [
        n.lineno for n in ast.walk(ast.parse(MODULES[name].read_text("utf-8"))) if isinstance(n, ast.Assert)
    ]
    assert not asserts, f"{name}: assert on lines {asserts}"
