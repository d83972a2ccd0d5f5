"""`tl.load`: the classes of a schema without files, the same as those that are generated."""

from __future__ import annotations

import gc
import inspect
import linecache
import pickle
import random
import traceback
import weakref
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import tl
from mtproto import api
from tests.samples import plan
from tests.tl.conftest import SCHEMA as SHAPES
from tests.tl.helpers import load_package
from tests.tl.test_ids import FULL_SCHEMAS, SCHEMAS
from tests.tl.test_rare_types import SCHEMA as RARE
from tl import DecodeError, SchemaError

TEXT = """\
//@description Something that has a name.
//@param name What it is called.
thing#1 flags:# name:string next:flags.0?Thing at:flags.1?space.Place = Thing;
space.place#2 x:int y:int = space.Place;
space.nowhere#3 = space.Place;
---functions---
space.find#4 name:string = space.Place;
// LAYER 7
"""


@pytest.fixture
def things() -> tl.loader.LoadedSchema:
    return tl.load(TEXT, "things")


def test_what_is_there(things: tl.loader.LoadedSchema) -> None:
    assert things.LAYER == 7
    assert repr(things.SCHEMA) == "<Registry things, layer 7, 4 combinators>"
    assert {"Thing", "TypeThing", "SCHEMA", "LAYER", "decode", "space"} <= set(dir(things))
    assert {"Place", "Nowhere", "Find", "TypePlace"} <= set(dir(things.space))
    assert things.space.__all__ == ["Find", "Nowhere", "Place", "TypePlace"]
    assert "Something that has a name." in things.Thing.__doc__
    assert things.space.TypePlace == things.space.Place | things.space.Nowhere
    assert things.TypeThing is things.Thing
    assert things.space.Find.RESULT == "space.Place"
    assert things.space.Place.SCHEMA is things.SCHEMA


def test_bytes(things: tl.loader.LoadedSchema) -> None:
    value = things.Thing(name="ab", at=things.space.Place(x=1, y=-1))
    data = bytes.fromhex("01000000 02000000 02616200 02000000 01000000 ffffffff")
    assert bytes(value) == data
    assert things.decode(data) == value
    assert things.decode(data, things.Thing) == value
    assert tl.decode_result(things.space.Find(name=""), data[12:]) == things.space.Place(x=1, y=-1)
    with pytest.raises(DecodeError, match=r"offset 12, at"):
        things.decode(data[:12] + data[:12])


def test_a_class_is_made_when_it_is_first_asked_for(things: tl.loader.LoadedSchema) -> None:
    assert not {"Place", "Find", "Nowhere", "TypePlace"} & vars(things.space).keys()
    things.decode(bytes.fromhex("02000000 01000000 ffffffff"))
    assert {"Place", "Find", "Nowhere", "TypePlace"} & vars(things.space).keys() == {"Place"}
    assert things.space.Place is things.SCHEMA.by_name["space.place"] is vars(things.space)["Place"]


def test_a_path_a_text_or_a_schema(tmp_path: Path) -> None:
    path = tmp_path / "my-layer.7.tl"
    path.write_text(TEXT)
    for source in (path, str(path)):
        assert tl.load(source).SCHEMA.name == "my_layer_7"
    assert tl.load(TEXT).SCHEMA.name == tl.load(tl.Schema.parse(TEXT)).SCHEMA.name == "loaded"
    assert tl.load("a = A;").A().TL_NAME == "a"
    assert tl.load(path, "other").SCHEMA.name == "other"
    with pytest.raises(FileNotFoundError):
        tl.load(tmp_path / "missing.tl")
    for name in ("a b", "class", ""):
        with pytest.raises(SchemaError, match=rf"the name '{name}' is not an identifier"):
            tl.load(TEXT, name)
    assert tl.load("").SCHEMA.by_name == {}
    with pytest.raises(SchemaError, match="got layer 99, the schema is of layer 7"):
        tl.load(tl.Schema.parse(TEXT), layer=99)


def test_errors_of_the_schema() -> None:
    with pytest.raises(
        SchemaError, match=r"2:5: b: x: unknown type 'Missing'\n    b x:Missing = B;\n        \^"
    ) as caught:
        tl.load("a y:Nothing = A;\nb x:Missing = B;")
    assert len(caught.value.errors) == 2
    with pytest.raises(SchemaError, match="would both be FooBar in Python"):
        tl.load("foo_bar = A;\nfooBar = B;")


IDS = "a#1 = A;\nb x:int = B;\nc#2 = C;"


@pytest.mark.parametrize("source", [IDS, tl.Schema.parse(IDS)], ids=["text", "schema"])
def test_ids_that_do_not_follow_from_the_text(source: str | tl.Schema) -> None:
    with pytest.warns(
        tl.IdMismatchWarning, match=r"1: a: declared id 00000001.*\n.*3: c: declared"
    ) as warned:
        assert tl.load(source).A.CONSTRUCTOR_ID == 1
    assert [Path(w.filename).name for w in warned] == ["test_loader.py"]
    with pytest.raises(SchemaError, match="a: declared id 00000001, its text gives") as caught:
        tl.load(source, strict_ids=True)
    assert [error.line for error in caught.value.errors] == [1, 3]


def test_one_of_several_layers() -> None:
    text = "===7===\na x:int = A;\n===8===\na x:long = A;\n"
    assert (tl.load(text).LAYER, tl.load(text).A.TL) == (8, "a x:long = A;")
    assert (tl.load(text, layer=7).LAYER, tl.load(text, layer=7).A.TL) == (7, "a x:int = A;")


def test_what_is_not_there(things: tl.loader.LoadedSchema) -> None:
    for module, name in (
        (things, "Place"),
        (things.space, "Thing"),
        (things, "_x"),
        (things.space, "__wrapped__"),
    ):
        with pytest.raises(AttributeError, match=rf"has no attribute '{name}'"):
            getattr(module, name)


def test_source_and_tracebacks_show_the_code(things: tl.loader.LoadedSchema) -> None:
    assert inspect.getsource(things.Thing._encode).lstrip().startswith("def _encode(self) -> bytes:\n")
    with pytest.raises(tl.MissingField) as caught:
        things.Thing()
    frames = traceback.extract_tb(caught.value.__traceback__)
    assert frames[-1].line == "raise _missing_field(self)"
    assert frames[-1].filename == inspect.getfile(things.Thing.__init__)
    assert "things" in frames[-1].filename
    assert "thing>" in frames[-1].filename


def test_layers_side_by_side() -> None:
    old = tl.load("user#1 id:int = User;\nchat#2 users:Vector<User> = Chat;\n// LAYER 1", "api")
    new = tl.load("user#3 id:long = User;\nchat#2 users:Vector<User> = Chat;\n// LAYER 2", "api")
    assert bytes(old.User(id=5)) == bytes.fromhex("01000000 05000000")
    assert bytes(new.User(id=5)) == bytes.fromhex("03000000 05000000 00000000")
    assert old.User(id=5) != new.User(id=5)
    assert (old.User(id=5).SCHEMA.layer, new.User(id=5).SCHEMA.layer) == (1, 2)
    with pytest.raises(tl.EncodeError, match=r"users\[0\]: got User User\(id=5\), expected User \(user\)"):
        bytes(new.Chat(users=[old.User(id=5)]))
    with pytest.raises(DecodeError, match=r"got constructor 0x00000001, unknown to api"):
        new.decode(bytes(old.Chat(users=[old.User(id=5)])))


def test_values_can_be_copied_but_not_pickled(things: tl.loader.LoadedSchema) -> None:
    import copy

    value = things.Thing(name="a", at=things.space.Nowhere())
    assert copy.deepcopy(value) == copy.copy(value) == value
    with pytest.raises(pickle.PicklingError):  # nobody could import the class
        pickle.dumps(value)


def test_a_namespace_that_is_called_like_a_builtin() -> None:
    loaded = tl.load("len.x = A; bytes.y = A; s x:string y:Vector<string> = S;")
    value = loaded.S(x="a", y=["b"])
    assert value._encode() == bytes(value)  # by straight-line code, which calls `len`
    assert loaded.len_.X().TL_NAME == "len.x"


@pytest.mark.parametrize("text", ["aB.x = A; ab.y = B;", "x = A; _root.y = B;"])
def test_namespaces_that_some_file_systems_do_not_tell_apart(text: str) -> None:
    with pytest.raises(SchemaError):
        tl.load(text)


def test_nothing_is_left_of_a_schema_that_nobody_has() -> None:
    loaded = tl.load("empty#1 = E; full#2 x:int = F;", "gone")
    assert loaded.decode(bytes.fromhex("01000000")) == loaded.Empty()
    assert loaded.Full(x=1).x == 1
    assert len([name for name in linecache.cache if " gone " in name]) == 2
    gone = weakref.ref(loaded.SCHEMA)
    del loaded
    gc.collect()
    assert gone() is None
    assert [name for name in linecache.cache if " gone " in name] == []


# The same as what is generated


def verdict(decode: Any, data: bytes) -> tuple[object, ...]:
    try:
        return True, repr(decode(data))
    except DecodeError as error:
        return type(error), str(error), error.offset, error.path


def compare(generated: Any, loaded: Any, seed: int) -> None:
    """Every class of both: the same bytes for the same values, and the same verdict on damaged ones."""
    assert list(generated.SCHEMA.by_name) == list(loaded.SCHEMA.by_name)
    assert (generated.SCHEMA.layer, generated.LAYER) == (loaded.SCHEMA.layer, loaded.LAYER)
    for name, cls in generated.SCHEMA.by_name.items():
        rng = random.Random(f"{seed} {name}")  # what replays it
        drawn = plan(rng, cls)
        value = drawn.build(generated.SCHEMA)
        same = drawn.build(loaded.SCHEMA)
        data = bytes(value)
        assert data == bytes(same), f"seed {seed}: {name}"
        assert (repr(value), value.TL, value.__doc__) == (repr(same), same.TL, same.__doc__)
        again = loaded.decode(data, type(same))  # by its class, for ids may be shared
        assert type(again) is type(same), f"seed {seed}: {name}"
        assert (repr(again), bytes(again)) == (repr(generated.decode(data, cls)), data)
        damaged = bytearray(data)
        damaged[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        cut = data[: rng.randrange(len(data))]
        for bad in (bytes(damaged), cut):
            assert verdict(loaded.decode, bad) == verdict(generated.decode, bad), f"seed {seed}: {name}"


@pytest.mark.parametrize("seed", range(5))
def test_the_api_generated_and_loaded(seed: int) -> None:
    compare(api, tl.load(SCHEMAS / "api.tl"), seed)


@pytest.mark.parametrize("text", [SHAPES, RARE])
def test_rare_shapes_generated_and_loaded(text: str, tmp_path: Path) -> None:
    generated = load_package(text, tmp_path, "made")
    for seed in range(20):
        compare(generated, tl.load(text, "made"), seed)


@pytest.mark.skipif(not FULL_SCHEMAS.is_dir(), reason=f"the full schemas are not at {FULL_SCHEMAS}")
@pytest.mark.parametrize("file", sorted(path.name for path in FULL_SCHEMAS.glob("*.tl")))
def test_whole_layers_generated_and_loaded(file: str, tmp_path: Path) -> None:
    generated: ModuleType = load_package((FULL_SCHEMAS / file).read_text("utf-8"), tmp_path, "whole")
    compare(generated, tl.load(FULL_SCHEMAS / file, "whole"), 1)
