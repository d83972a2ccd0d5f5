"""A schema → the files of a Python package: one module per namespace, written or compared.

    _schema.py    the registry, and the index: where in which module each class stands
    _root.py      the combinators without a namespace
    account.py …  one module per namespace
    __init__.py   everything of the root, the modules, and `decode`

The files are a function of the schema alone, so `check` can tell whether a package on disk is the one that
its schema gives.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

from tl.clashes import checked_modules
from tl.module import MARK, Module, Names, made_module
from tl.names import module_name
from tl.schema import Schema

__all__ = ["check_package", "package_files", "write_package"]


def package_files(schema: Schema, name: str) -> dict[str, str]:
    """File name → content of the package that `schema` gives; `name` is the schema's name in errors."""
    modules = checked_modules(schema)
    names = Names(schema, modules)
    made = {namespace: made_module(schema, namespace, found, names) for namespace, found in modules.items()}
    files = {"_schema.py": _schema_module(schema, name, made)}
    files |= {f"{_file_name(namespace)}.py": module.text for namespace, module in made.items()}
    files["__init__.py"] = _init_module(schema, name, list(modules))
    return files


def write_package(schema: Schema, directory: Path, name: str) -> list[str]:
    """Write the package into `directory`; return the names of the files that changed.

    Python files there that this function once wrote, and would not write now, are removed; a Python file of
    anyone else's is left alone.
    """
    files = package_files(schema, name)
    directory.mkdir(parents=True, exist_ok=True)
    changed = []
    for file, text in files.items():
        path = directory / file
        if _differs(path, text):
            path.write_bytes(text.encode())  # as it is: the index counts bytes
            changed.append(file)
    for path in _stale(directory, files):
        path.unlink()
        changed.append(path.name)
    return changed


def check_package(schema: Schema, directory: Path, name: str) -> list[str]:
    """The names of the files in `directory` that are not what the schema gives: missing, changed, stale."""
    files = package_files(schema, name)
    drifted = [file for file, text in files.items() if _differs(directory / file, text)]
    return drifted + [path.name for path in _stale(directory, files)]


def _differs(path: Path, text: str) -> bool:
    return not path.exists() or path.read_bytes() != text.encode()


def _stale(directory: Path, files: dict[str, str]) -> Iterator[Path]:
    for path in sorted(directory.glob("*.py")):
        if path.name not in files and path.read_text("utf-8", "replace").startswith(MARK):
            yield path


def _file_name(namespace: str) -> str:
    return module_name(namespace) or "_root"


def _schema_module(schema: Schema, name: str, modules: dict[str, Module]) -> str:
    layer = "" if schema.layer is None else f", layer={schema.layer}"
    lines = [
        f'{MARK}"""The registry of this package\'s classes, and where they are."""',
        "",
        "from tl import runtime as _rt",
        "",
        f'SCHEMA = _rt.Registry("{name}"{layer})',
        "",
        "# Of each module the name, the namespace, size and CRC-32 of the file; of each combinator in it the name,",
        "# the id and the type (`-`: a function), then where its class is: offset, size in bytes, line.",
        'INDEX = """\\',
    ]
    for namespace, module in modules.items():
        raw = module.text.encode()
        lines.append(f"{_file_name(namespace)} {namespace or '-'} {len(raw)} {crc32(raw):08x}")
        for combinator, offset, size, line in module.places:
            kind = "-" if combinator.is_function else combinator.result.name
            lines.append(f"{combinator.name} {combinator.constructor_id:08x} {kind} {offset} {size} {line}")
    return "\n".join([*lines, '"""']) + "\n"


def _init_module(schema: Schema, name: str, namespaces: list[str]) -> str:
    spaces = [module_name(namespace) for namespace in namespaces if namespace]
    layer = f" of layer {schema.layer}" if schema.layer is not None else ""
    lines = [
        f'{MARK}"""The schema `{name}`{layer}: a class for each combinator, a module for each namespace.',
        "",
        "Every class is made when it is first asked for.",
        '"""',
        "",
        "from __future__ import annotations",
        "",
        "from tl import runtime as _rt",
        "",
        "from ._schema import INDEX as _INDEX",
        "from ._schema import SCHEMA as SCHEMA",
        "",
        "TYPE_CHECKING = False",
        "if TYPE_CHECKING:",
        *(f"    from . import {space} as {space}" for space in spaces),
        "    from ._root import *",
        "",
        f"LAYER = {schema.layer}",
        "decode: _rt.Decode = _rt.codec.decoder(SCHEMA)",
        "",
        "if not TYPE_CHECKING:",
        "    __getattr__, __dir__ = _rt.lazily(__name__, SCHEMA, _INDEX)",
    ]
    return "\n".join(lines) + "\n"
