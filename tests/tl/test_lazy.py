"""Generated packages: nothing is made before it is asked for, and nobody can tell."""

from __future__ import annotations

import compileall
import copy
import importlib
import inspect
import itertools
import pickle
import subprocess
import sys
import threading
import traceback
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from mtproto import api
from tl import MissingField, Schema, SchemaError
from tl.package import check_package, write_package

SCHEMA = """\
//@description Ünïcödé, so that characters and bytes differ.
first#1 x:int = Thing;
second#2 name:string inner:space.Place = Thing;
space.here#3 n:long = space.Place;
space.there#4 things:Vector<Thing> = space.Place;
space.elsewhere#5 = Place;
---functions---
space.get#6 name:string = Vector<Thing>;
// LAYER 9
"""
NESTED = bytes.fromhex("02000000 02616200 04000000 15c4b51c 01000000 01000000 07000000")

_numbers = itertools.count()


@pytest.fixture
def name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a package that can be imported; nothing of it is left in the end."""
    name = f"lazy_{next(_numbers)}"
    write_package(Schema.parse(SCHEMA), tmp_path / name, name)
    monkeypatch.syspath_prepend(tmp_path)
    yield name
    for key in [key for key in sys.modules if key.partition(".")[0] == name]:
        del sys.modules[key]


@pytest.fixture
def package(name: str) -> Any:
    return importlib.import_module(name)


def made(package: ModuleType) -> set[str]:
    """The classes that there are so far."""
    modules = [vars(package), vars(package._root), vars(package.space)]
    return {v.__name__ for names in modules for v in names.values() if hasattr(v, "CONSTRUCTOR_ID")}


def test_nothing_is_made_by_an_import(package: Any) -> None:
    assert made(package) == set()
    assert package.First is package._root.First is package.SCHEMA.by_name["first"]
    assert made(package) == {"First"}
    assert vars(package)["First"] is package.First


def test_what_is_on_the_wire_is_made(package: Any) -> None:
    value = package.decode(NESTED)
    assert made(package) == {"Second", "There", "First"}
    assert value == package.Second(name="ab", inner=package.space.There(things=[package.First(x=7)]))
    assert bytes(value) == NESTED
    # What stood for the classes has made room for them: they are read without a detour now.
    readers = package.SCHEMA.readers("Thing")
    assert list(readers.values()) == [package.First._read, package.Second._read]
    assert package.SCHEMA.readers("Object")[NESTED[:4]] == package.Second._read


def test_everything_can_be_seen(package: Any) -> None:
    own = {"LAYER", "SCHEMA", "decode", "space", "First", "Second", "TypeThing"}
    assert own <= set(dir(package))
    assert set(package.__all__) == own | {"TypePlace"}
    assert {"Here", "There", "Elsewhere", "Get", "TypePlace"} <= set(dir(package.space))
    assert package.space.__all__ == ["Elsewhere", "Get", "Here", "There", "TypePlace"]
    assert package.LAYER == package.SCHEMA.layer == 9
    assert made(package) == set()
    assert package.space.__doc__ == "The combinators of the namespace `space`."
    assert package.TypeThing == package.First | package.Second
    assert package.space.TypePlace == package.space.Here | package.space.There
    assert package.TypePlace is package.space.Elsewhere  # its constructor lives in another namespace


def test_star_imports(package: Any, name: str) -> None:
    names: dict[str, object] = {}
    exec(f"from {name} import *\nfrom {name}.space import *", names)  # noqa: S102
    assert names.keys() >= {"First", "Second", "TypeThing", "Here", "Get", "decode", "SCHEMA", "LAYER"}
    assert names["First"] is package.First
    assert not {"annotations", "TYPE_CHECKING"} & names.keys()


@pytest.mark.parametrize("attribute", ["Nothing", "first", "_x", "__wrapped__", "Here"])
def test_what_is_not_there(package: Any, name: str, attribute: str) -> None:
    with pytest.raises(AttributeError, match=rf"module '{name}(\._root)?' has no attribute '{attribute}'"):
        getattr(package, attribute)
    with pytest.raises(ImportError, match=rf"cannot import name '{attribute}'"):
        exec(f"from {name} import {attribute}")  # noqa: S102


def test_modules_are_modules(package: Any, name: str) -> None:
    assert importlib.import_module(f"{name}.space") is package.space is sys.modules[f"{name}.space"]
    spec = importlib.util.find_spec(f"{name}.space")
    assert spec is not None
    assert spec.origin == package.space.__file__
    assert package.space.Here.__module__ == f"{name}.space"
    with pytest.raises(ModuleNotFoundError, match="is not a package"):
        importlib.import_module(f"{name}.space.deeper")


def test_source_and_tracebacks_show_the_file(package: Any) -> None:
    path = Path(package.space.__file__)
    lines = path.read_text("utf-8").split("\n")
    for cls in (package.space.Here, package.space.There, package.First, package.Second, package.space.Get):
        text = Path(sys.modules[cls.__module__].__file__ or "").read_text("utf-8").split("\n")
        source, line = inspect.getsourcelines(cls)
        assert text[line - 1] == source[0].rstrip("\n")
        assert source[0].startswith(f"class {cls.__name__}(")
        for method in (cls.__init__, cls._encode, cls._read):
            code = method.__code__
            at = code.co_firstlineno - 1
            assert f"def {method.__name__}(" in text[at] + text[at + 1]  # a decorator comes first
    with pytest.raises(MissingField) as caught:
        package.space.There()
    frame = traceback.extract_tb(caught.value.__traceback__)[-1]
    assert (frame.filename, frame.line) == (str(path), "raise _missing_field(self)")
    assert frame.lineno is not None
    assert lines[frame.lineno - 1].strip() == "raise _missing_field(self)"


def test_values_can_be_copied_and_pickled(package: Any) -> None:
    value = package.decode(NESTED)
    assert pickle.loads(pickle.dumps(value)) == copy.deepcopy(value) == copy.copy(value) == value  # noqa: S301


def test_an_unpickled_value_makes_its_class(package: Any, name: str) -> None:
    pickled = pickle.dumps(package.space.Here(n=5))
    for key in [key for key in sys.modules if key.partition(".")[0] == name]:
        del sys.modules[key]
    value = pickle.loads(pickled)  # noqa: S301
    assert (value.TL_NAME, value.n) == ("space.here", 5)
    assert made(importlib.import_module(name)) == {"Here"}


def test_threads_get_the_same_class(package: Any) -> None:
    barrier = threading.Barrier(8)
    found: list[object] = []

    def look() -> None:
        barrier.wait()
        found.append((package.Second, package.space.There, type(package.decode(NESTED))))

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(found) == 8
    assert set(found) == {(package.Second, package.space.There, package.Second)}


# Other files than those that were written


def changed(tmp_path: Path, name: str, change: Any) -> Any:
    for path in (tmp_path / name).glob("*.py"):
        change(path)
    return importlib.import_module(name)


def append_comment(path: Path) -> None:
    if path.name in ("_root.py", "space.py"):
        path.write_bytes(b"# edited by hand\n" + path.read_bytes())


def convert(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))


def test_a_reload_is_refused(package: Any) -> None:
    assert package.space.Here(n=1).n == 1
    with pytest.raises(SchemaError, match=r"already has a combinator space\.here: no class is made twice"):
        importlib.reload(package.space)


def test_converted_line_ends_are_told(tmp_path: Path, name: str) -> None:
    schema = Schema.parse(SCHEMA)
    assert check_package(schema, tmp_path / name, name) == []
    convert(tmp_path / name / "_root.py")
    assert check_package(schema, tmp_path / name, name) == ["_root.py"]
    assert write_package(schema, tmp_path / name, name) == ["_root.py"]


@pytest.mark.parametrize("change", [append_comment, convert])
def test_a_file_that_was_changed_is_run_as_a_whole(tmp_path: Path, name: str, change: Any) -> None:
    package = changed(tmp_path, name, change)
    assert bytes(package.decode(NESTED)) == NESTED
    assert made(package) == {"First", "Second", "Here", "There", "Elsewhere", "Get"}
    assert package.space.TypePlace == package.space.Here | package.space.There
    assert package.Second is package._root.Second is package.SCHEMA.by_name["second"]


def test_a_file_that_changes_under_the_program(tmp_path: Path, package: Any) -> None:
    assert package.First(x=1).x == 1
    append_comment(tmp_path / package.__name__ / "_root.py")
    assert package.First(x=1).x == 1
    for _ in range(2):
        with pytest.raises(ImportError, match=r"_root\.py has changed since it was first used"):
            package.Second  # noqa: B018


def test_an_edit_that_keeps_the_size(tmp_path: Path, name: str) -> None:
    path = tmp_path / name / "_root.py"
    text = path.read_bytes()
    path.write_bytes(text.replace(b"so that", b"so tha").replace(b'"""The TL', b'"""The  TL'))
    assert len(path.read_bytes()) == len(text)
    package: Any = importlib.import_module(name)
    assert bytes(package.decode(NESTED)) == NESTED
    assert made(package) >= {"First", "Second"}


def test_a_file_with_other_classes_than_its_index_has(tmp_path: Path, name: str) -> None:
    path = tmp_path / name / "_root.py"
    text = path.read_text("utf-8")
    start, end = text.index("class First("), text.index("class Second(")
    path.write_text(
        text[:start] + text[end:].replace("First | ", "") + "\n\nclass Extra:\n    pass\n", "utf-8"
    )
    package: Any = importlib.import_module(name)
    assert package.Extra.__name__ == "Extra"
    for _ in range(2):
        assert not hasattr(package, "First")
        with pytest.raises(AttributeError, match="has no attribute 'First'"):
            package._root.First  # noqa: B018
        with pytest.raises(
            SchemaError, match="has no class for first: its file is not what `tl generate` wrote"
        ):
            package.decode(NESTED)
    assert package.Second.TL_NAME == "second"


def test_a_class_whose_id_was_edited(tmp_path: Path, name: str) -> None:
    path = tmp_path / name / "_root.py"
    path.write_text(path.read_text("utf-8").replace("0x00000001", "0x00000009"), "utf-8")
    package: Any = importlib.import_module(name)
    with pytest.raises(SchemaError, match="already has a combinator first, with another id or type"):
        package.First  # noqa: B018


def test_a_module_that_python_ran_by_itself_before_the_package(tmp_path: Path, name: str) -> None:
    """As when two threads import the package and a module of it at once: Python does not wait for parents."""
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.loader is not None
    package: Any = importlib.util.module_from_spec(spec)
    sys.modules[name] = package
    early = importlib.import_module(f"{name}.space")  # from disk, for the package has not begun
    assert early.Here.__module__ == f"{name}.space"
    spec.loader.exec_module(package)
    assert package.space.Here is early.Here is package.SCHEMA.by_name["space.here"]
    assert bytes(package.decode(NESTED)) == NESTED
    again = importlib.util.spec_from_file_location(f"{name}.space", tmp_path / name / "space.py")
    assert again is not None
    assert again.loader is not None
    late = importlib.util.module_from_spec(again)
    again.loader.exec_module(late)  # the second is nobody's, the first stays
    assert package.space.Here is early.Here is package.SCHEMA.by_name["space.here"]


def test_only_byte_code(tmp_path: Path, name: str) -> None:
    compileall.compile_dir(tmp_path / name, quiet=2, legacy=True)
    for path in (tmp_path / name).glob("*.py"):
        path.unlink()
    package: Any = importlib.import_module(name)
    assert bytes(package.decode(NESTED)) == NESTED
    assert package.space.Here(n=1).n == 1


def test_neither_source_nor_code(tmp_path: Path, package: Any) -> None:
    (tmp_path / package.__name__ / "_root.py").unlink()
    with pytest.raises(ImportError, match=r"there is neither source nor code of lazy_\d+\._root"):
        package.First  # noqa: B018


def test_a_zip_file(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = tmp_path / "packed.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in (tmp_path / name).glob("*.py"):
            file.write(path, f"zipped_{name}/{path.name}")
    monkeypatch.syspath_prepend(archive)
    package: Any = importlib.import_module(f"zipped_{name}")
    assert bytes(package.decode(NESTED)) == NESTED
    assert "class Here(" in inspect.getsource(package.space)


# What an import costs


def run(code: str, *folders: Path) -> str:
    paths = [str(Path(__file__).parents[2]), *map(str, folders)]
    program = f"import sys; sys.path[:0] = {paths}\n{code}"
    done = subprocess.run([sys.executable, "-S", "-c", program], check=True, capture_output=True, text=True)
    return done.stdout.strip()


HEAVY = ("typing", "re", "dataclasses", "enum", "inspect", "pathlib", "functools")


def test_a_generated_package_loads_the_runtime_alone(tmp_path: Path, name: str) -> None:
    code = f"before = set(sys.modules); import {name}; print(*sorted(set(sys.modules) - before))"
    loaded = run(code, tmp_path).split()
    assert {m for m in loaded if m.startswith("tl.")} == {
        "tl.codec",
        "tl.errors",
        "tl.fast",
        "tl.lazy",
        "tl.limits",
        "tl.names",
        "tl.registry",
        "tl.runtime",
    }
    assert not set(loaded) & set(HEAVY)


def test_good_values_need_no_more_than_that(tmp_path: Path, name: str) -> None:
    code = f"""
import {name} as package
data = bytes.fromhex("{NESTED.hex()}")
assert bytes(package.decode(data)) == data
assert package.decode(data, package.TypeThing).name == "ab"
assert package.space.Get(name="x") is not None
print("tl.reference" in sys.modules)
"""
    assert run(code, tmp_path) == "False"


def test_mtproto_makes_no_class_of_the_api() -> None:
    code = "import mtproto; print({'User', 'CodeSettings'} & vars(mtproto.api._root).keys())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout.strip() == "set()"
    assert api.CodeSettings.TL_NAME == "codeSettings"
