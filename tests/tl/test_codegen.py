"""The generator: what it writes, when it says that a package is not what its schema gives, what it refuses."""

from __future__ import annotations

import ast
import inspect
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import schemas
from tests.tl.helpers import load_package
from tl import EncodeError, Schema, SchemaError, load
from tl.__main__ import main
from tl.package import check_package, package_files, write_package

ROOT = Path(__file__).parents[2]
SCHEMA = """\
// LAYER 7
//@description A user, \\
//- with all of it.
//@param id The user's number
//@param from Where from: "far"
//@param key The key
user#1 flags:# id:long from:flags.0?string key:int128 hash:flags.1?int256 = User;
auth.code#2 user:User codes:Vector<auth.Code> = auth.Code;
---functions---
//@description Asks for a code.
//@error 400 PHONE_INVALID The number
//- is none.
//@error 420 FLOOD_WAIT_X
auth.getCode#3 user:User = auth.Code;
"""


@pytest.fixture
def schema_file(tmp_path: Path) -> Path:
    path = tmp_path / "some.tl"
    path.write_text(SCHEMA, "utf-8")
    return path


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


# The command


def test_generate_then_check(schema_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    package = schema_file.parent / "deep" / "some"
    assert run("check", schema_file, "-o", package) == 1
    assert capsys.readouterr().err.count("not what") == 4
    assert run("generate", schema_file, "-o", package) == 0
    assert capsys.readouterr().out == f"{package}: 3 combinators, 4 files changed\n"
    assert sorted(path.name for path in package.iterdir()) == [
        "__init__.py",
        "_root.py",
        "_schema.py",
        "auth.py",
    ]
    assert run("check", schema_file, "-o", package) == 0
    assert "up to date" in capsys.readouterr().out
    assert run("generate", schema_file, "--output", package) == 0
    assert ", 0 files changed" in capsys.readouterr().out


def test_check_tells_every_drift(schema_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    package = schema_file.parent / "some"
    run("generate", schema_file, "-o", package)
    (package / "_root.py").write_bytes((package / "_root.py").read_bytes() + b"# \xff\n")
    (package / "_schema.py").unlink()
    (package / "stale.py").write_text((package / "auth.py").read_text("utf-8"), "utf-8")
    (package / "mine.py").write_bytes(b"# written by hand \xff\n")
    capsys.readouterr()
    assert run("check", schema_file, "-o", package) == 1
    told = [line for line in capsys.readouterr().err.splitlines() if "not what" in line]
    assert [Path(line.split(":")[0]).name for line in told] == ["_schema.py", "_root.py", "stale.py"]
    assert all(str(schema_file) in line and "tl generate" in line for line in told)
    assert run("generate", schema_file, "-o", package) == 0
    assert run("check", schema_file, "-o", package) == 0
    assert not (package / "stale.py").exists()
    assert (package / "mine.py").read_bytes() == b"# written by hand \xff\n"


def test_check_notices_another_schema_and_another_name(schema_file: Path) -> None:
    package = schema_file.parent / "some"
    run("generate", schema_file, "-o", package)
    assert run("check", schema_file, "-o", package, "--name", "other") == 1
    schema_file.write_text(SCHEMA.replace("A user", "The user"), "utf-8")
    assert run("check", schema_file, "-o", package) == 1
    schema_file.write_text(SCHEMA.replace("LAYER 7", "LAYER 8"), "utf-8")
    assert run("check", schema_file, "-o", package) == 1
    schema_file.write_text(SCHEMA.replace("user#1", "user#9"), "utf-8")
    assert run("check", schema_file, "-o", package) == 1


@pytest.mark.parametrize("command", ["generate", "check"])
def test_what_cannot_be_done(command: str, schema_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = schema_file.parent
    bad = folder / "bad.tl"
    bad.write_text("a x:Nope = A;\nb = ;\nfooBar = A; foo_bar = A;")
    clash = folder / "clash.tl"
    clash.write_text("fooBar = A;\nfoo_b = Foo; foo_bar = A;")
    latin = folder / "latin.tl"
    latin.write_bytes(b"a = A; // \xe9")
    new = folder / "p"
    for schema, output, message in (
        (bad, new, f"{bad}:2:5: got ';', expected a type"),
        (
            clash,
            new,
            f"{clash}:2:14: combinator fooBar and combinator foo_bar would both be FooBar in Python",
        ),
        (latin, new, f"{latin}: {latin} is not UTF-8"),
        (folder / "none.tl", new, f"{folder / 'none.tl'}: No such file"),
        (folder, new, "Is a directory"),
        (schema_file, folder / "no-name", "'no-name' is not an identifier: give one with --name"),
    ):
        assert run(command, schema, "-o", output) == 2
        captured = capsys.readouterr()
        assert message in captured.err
        assert captured.out == ""
        assert not output.exists()
    assert run(command, schema_file, "-o", new, "--name", 'x"y') == 2
    assert run("generate", schema_file, "-o", schema_file) == 2
    for incomplete in ([], [schema_file], ["-o", "p"]):
        with pytest.raises(SystemExit) as caught:
            run(command, *incomplete)
        assert caught.value.code == 2


def test_ids_that_are_not_the_crc_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.tl"
    path.write_text("\na#12345678 = A;")
    assert run("generate", path, "-o", tmp_path / "a") == 0
    told = capsys.readouterr().err
    assert told.startswith(f"{path}:2: a: declared id 12345678, its text gives ")


def test_the_same_text_in_every_process(schema_file: Path) -> None:
    texts = []
    for seed in ("1", "2"):
        package = schema_file.parent / f"seed{seed}" / "some"
        subprocess.run(
            [sys.executable, "-m", "tl", "generate", schema_file, "-o", package],
            check=True,
            capture_output=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
        )
        texts.append({path.name: path.read_bytes() for path in package.iterdir()})
    assert texts[0] == texts[1]
    assert texts[0] == {
        name: text.encode() for name, text in package_files(Schema.read(schema_file), "some").items()
    }


def test_writing_and_checking(tmp_path: Path) -> None:
    schema = Schema.parse(SCHEMA)
    assert write_package(schema, tmp_path / "some", "some") == [
        "_schema.py",
        "_root.py",
        "auth.py",
        "__init__.py",
    ]
    assert write_package(schema, tmp_path / "some", "some") == []
    assert check_package(schema, tmp_path / "some", "some") == []
    smaller = Schema.parse("user#1 = User;")
    assert check_package(smaller, tmp_path / "some", "some") == [
        "_schema.py",
        "_root.py",
        "__init__.py",
        "auth.py",
    ]
    assert write_package(smaller, tmp_path / "some", "some")[-1] == "auth.py"
    assert not (tmp_path / "some" / "auth.py").exists()


# What is written


def test_docstrings(tmp_path: Path) -> None:
    package = load_package(SCHEMA, tmp_path, "documented")
    assert inspect.cleandoc(package.User.__doc__) == (
        "A user, \\ with all of it.\n"
        "\n"
        "    user#00000001 flags:# id:long from:flags.0?string key:int128 hash:flags.1?int256 = User;\n"
        "\n"
        "Fields:\n"
        "    id: The user's number\n"
        '    from_: Where from: "far"\n'
        "    key: The key (16 bytes)\n"
        "    hash: (32 bytes)"
    )
    assert inspect.cleandoc(package.auth.GetCode.__doc__) == (
        "Asks for a code.\n"
        "\n"
        "    auth.getCode#00000003 user:User = auth.Code;\n"
        "\n"
        "Errors:\n"
        "    400 PHONE_INVALID: The number is none.\n"
        "    420 FLOOD_WAIT_X"
    )
    assert inspect.cleandoc(package.auth.Code.__doc__).startswith("The TL constructor auth.code.\n")


def test_classes_say_what_they_are(tmp_path: Path) -> None:
    package = load_package(SCHEMA, tmp_path, "described")
    assert (package.LAYER, package.SCHEMA.layer, package.SCHEMA.name) == (7, 7, "described")
    assert repr(package.SCHEMA) == "<Registry described, layer 7, 3 combinators>"
    assert package.User.TL_NAME == "user"
    assert package.User.CONSTRUCTOR_ID == 1
    assert package.User.TYPE == "User"
    assert package.TypeUser is package.User
    assert package.auth.TypeCode is package.auth.Code
    assert package.auth.GetCode.RESULT == "auth.Code"
    assert package.User.__slots__ == ("flags", "id", "from_", "key", "hash")
    assert package.SCHEMA.by_name["auth.getCode"] is package.auth.GetCode
    for module in (package, package.auth):
        assert sorted(module.__all__) == module.__all__
        assert all(hasattr(module, name) for name in module.__all__)
    assert load_package("a = A;", tmp_path, "no_layer").LAYER is None


def check_source(files: dict[str, str]) -> None:
    """Assert that generated files are Python, import nothing but the runtime, and have no code but their own."""
    for name, text in files.items():
        module = ast.parse(text, name)
        compile(module, name, "exec")
        for node in ast.walk(module):
            if isinstance(node, ast.Import):
                raise AssertionError(ast.unparse(node))
            if isinstance(node, ast.ImportFrom) and not node.level:
                assert node.module in ("__future__", "typing", "tl")
                assert node.module != "tl" or [alias.name for alias in node.names] == ["runtime"]
            if isinstance(node, ast.ClassDef):
                assert ast.get_docstring(node)
                assert {type(statement) for statement in node.body[1:]} <= {ast.Assign, ast.FunctionDef}


@given(schemas())
def test_any_schema_gives_python(schema: Schema) -> None:
    try:
        files = package_files(schema, "any")
    except SchemaError as error:
        clash = str(error)
        files = {}
    if not files:
        assert "would both be" in clash
        return
    check_source(files)
    assert files == package_files(schema, "any")
    assert sum(text.count("\nclass ") for text in files.values()) == len(schema.combinators)


HOSTILE = (
    *(
        '"""',
        '\\"""',
        '""""',
        '"',
        "\\",
        '\\\\"""',
        "'''",
        '""\\',
        "\\N{BULLET}",
        "\\x41",
        "\\u12",
        "#",
        "%s {x}",
    ),
    *(
        "\0",
        "\r",
        "\f",
        "\v",
        "\x1b[0m",
        "\x7f",
        "\x85",
        "\u2028",
        "\u202e",
        "\ud800",
        "\ufeff",
        "é",
        "\U0001f389",
    ),
    '"""\r    import os\r    """',
    '"""; raise SystemExit; """',
)


@given(
    st.lists(st.sampled_from(HOSTILE) | st.text(max_size=5), max_size=6)
    .map("".join)
    .map(lambda t: t.replace("\n", ""))
)
def test_doc_comments_stay_text(text: str) -> None:
    schema = Schema.parse(
        f"//@description {text}\n//@param x {text}\na x:int y:int128 = A;\n---functions---\n"
        f"//@error 400 NAME{text}\n//-{text}\n//@param y {text}\nb y:int256 = A;\n"
    )
    files = package_files(schema, "hostile")
    check_source(files)
    assert all(text.encode() for text in files.values())  # surrogates could not be
    (a, b) = [n for n in ast.walk(ast.parse(files["_root.py"])) if isinstance(n, ast.ClassDef)]
    assert "    a x:int y:int128 = A;" in (ast.get_docstring(a) or "")
    assert "    400 NAME" in (ast.get_docstring(b) or "")


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60))
def test_doc_comments_stay_the_same_text(text: str) -> None:
    files = package_files(Schema.parse(f"//@description :{text}\na = A;"), "same")
    (a,) = [n for n in ast.walk(ast.parse(files["_root.py"])) if isinstance(n, ast.ClassDef)]
    assert (ast.get_docstring(a) or "").split("\n")[0] == f":{text}"


def test_hostile_doc_comments_run_nothing(tmp_path: Path) -> None:
    text = "".join(
        f"//@description {part}\n//@param x {part}\na{i} x:int = A;\n" for i, part in enumerate(HOSTILE)
    )
    package = load_package(text, tmp_path, "hostile")
    assert len(package.SCHEMA.by_name) == len(HOSTILE)
    assert '\\"""' in package.A1.__doc__
    assert "import os" in package.SCHEMA.by_name[f"a{len(HOSTILE) - 2}"].__doc__


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fooBar = A; foo_bar = A;", "combinator fooBar and combinator foo_bar would both be FooBar"),
        ("foo = A; Foo = A;", "combinator foo and combinator Foo would both be Foo"),
        ("foo = A; foo_ = A;", "combinator foo and combinator foo_ would both be Foo"),
        ("a.foo = A; a.Foo = A;", "combinator a.foo and combinator a.Foo would both be Foo"),
        ("true = A; True = A;", "combinator true and combinator True would both be True_"),
        ("typeA = B; a = A;", "combinator typeA and type A would both be TypeA"),
        ("a = Foo_bar; b = FooBar;", "type Foo_bar and type FooBar would both be TypeFooBar"),
        ("Foo.a = A; foo = A;", "namespace Foo and combinator foo would both be Foo"),
        ("TypeA.b = A;", "namespace TypeA and type A would both be TypeA"),
        ("a.b.c = A; a_b.c = A;", "namespace a.b and namespace a_b would both be a_b"),
        ("a = a.b.A; b = a_b.B;", "namespace a.b and namespace a_b would both be a_b"),
        ("decode.a = A;", "namespace decode and the package's own decode would both be decode"),
        ("LAYER = A;", "the package's own LAYER and combinator LAYER would both be LAYER"),
        ("sCHEMA = A;", "the package's own SCHEMA and combinator sCHEMA would both be SCHEMA"),
        ("a = x.Y.Z; b = x.Y__Z;", "type x.Y.Z and type x.Y__Z would both be x__Y__Z"),
    ],
)
def test_names_that_clash(text: str, message: str) -> None:
    with pytest.raises(SchemaError) as caught:
        package_files(Schema.parse(text), "clash")
    assert caught.value.message == f"{message} in Python"


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("foo_bar = A;\nx foo:A = Foo_Bar; fooBar = A;", 2, 20),
        ("a = Foo_bar;\n\n  b FooBar:int = FooBar;", 3, 18),
        ("a =\n Foo_bar;\nb\n = FooBar;", 3, 1),  # the combinator's line, where the type is on another
        ("foo = A;\n\nFoo.a = A;", 3, 1),  # the later one of the two, in whatever order they are found
        ("TypeA.b = B;\na = A;", 2, 5),
        ("a = a.b.A;\nb = a_b.B;", 2, 5),
        ("x = X;\n---functions---\ndecode.a = X;", 3, 1),
        ("\ufeffsCHEMA = A;", 1, 1),
    ],
)
def test_clashes_have_a_place(text: str, line: int, column: int) -> None:
    with pytest.raises(SchemaError) as caught:
        package_files(Schema.parse(text), "clash")
    error = caught.value
    assert (error.line, error.column) == (line, column)
    assert error.text == text.removeprefix("\ufeff").split("\n")[line - 1]


@pytest.mark.parametrize(
    "text",
    [
        "".join(f"ns{i}.con{i} a:ns{i * 7 % 5000}.T = ns{i}.T;\n" for i in range(5000)),
        f"a {' '.join(f'w{i}:# f{i}:w{i}.0?int' for i in range(10_000))} = A;",
        f"a {'int ' * 20_000}= A;",
    ],
    ids=["namespaces", "flags", "fields"],
)
def test_large_schemas_take_no_long_time(text: str) -> None:
    start = time.process_time()
    files = package_files(Schema.parse(text), "large")
    assert time.process_time() - start < 8  # a second or less; it was 20 and more
    assert sum(file.count("\nclass ") for file in files.values()) == text.count(";")


def test_many_fields_under_one_bit() -> None:
    names = [f"{kind}{i}" for i in range(2000) for kind in ("s", "b")]
    fields = " ".join(f"{name}:flags.0?{'string' if name[0] == 's' else 'Bool'}" for name in names)
    package = load(f"boolTrue = Bool; boolFalse = Bool; a#1 flags:# {fields} = A;")
    value = package.A(**{name: "x" if name[0] == "s" else True for name in names})
    assert value._encode() == b"\1\0\0\0\1\0\0\0" + b"\1x\0\0\xb5\x75\x72\x99" * 2000
    assert package.A._read(value._encode(), 4, 64)[0] == value
    value.s1999 = None
    with pytest.raises(EncodeError, match=r"s1999: not given, but s0, b0, .* share flags\.0"):
        bytes(value)


def test_every_clash_is_told() -> None:
    with pytest.raises(SchemaError) as caught:
        package_files(Schema.parse("a_b = A; aB = A; c_d = A; cD = A;"), "clash")
    assert len(caught.value.errors) == 2


@pytest.mark.parametrize(
    "namespace", ["root", "rt", "new", "bytes", "type", "class", "annotations", "None", "x.y"]
)
def test_namespaces_of_any_name(tmp_path: Path, namespace: str) -> None:
    package = load_package(
        f"{namespace}.a#1 b:B c:{namespace}.A = {namespace}.A;\nb#2 = B;\n"
        f"{namespace}.d#3 = B;\ne#4 = {namespace}.A;",
        tmp_path,
        "namespaces",
    )
    value = package.SCHEMA.by_name[f"{namespace}.a"](b=package.B(), c=package.E())
    assert bytes(value) == b"\1\0\0\0\2\0\0\0\4\0\0\0"
    assert package.decode(bytes(value)) == value
    assert package.decode(b"\3\0\0\0", package.TypeB) == package.SCHEMA.by_name[f"{namespace}.d"]()
