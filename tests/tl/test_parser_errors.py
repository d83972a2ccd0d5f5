"""What is no TL: which error, where, and that there is never any other answer."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tl.errors import SchemaError
from tl.parser import MAX_NESTING, ParsedSchema, parse, parse_type
from tl.schema import Schema

SCHEMAS = Path(__file__).parents[2] / "schema"


def refused(text: str) -> SchemaError:
    """The error that parsing `text` raises."""
    with pytest.raises(SchemaError) as caught:
        parse(text)
    return caught.value


NUMBER = "got the number {}, expected a type: MTProto has no types that depend on numbers"


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("a = A", 1, 6, "got the end of the text, expected ';' at the end of a declaration"),
        ("a", 1, 2, "got the end of the text, expected a field, or '='"),
        ("a;", 1, 2, "got ';', expected a field, or '='"),
        ("a x:int;", 1, 8, "got ';', expected a field, or '='"),
        ("a = ;", 1, 5, "got ';', expected a type"),
        ("= A;", 1, 1, "got '=', expected the name of a combinator, or a section such as '---functions---'"),
        ("\n\n  a = A B; c = ?;", 3, 16, "got '?', expected a type"),
        ("a x: = A;", 1, 6, "got '=', expected a type"),
        ("a x:int = int = A;", 1, 15, "got '=', expected ';' at the end of a declaration"),
        ("a#123456789 = A;", 1, 2, "got id '#123456789', expected 1 to 8 hex digits"),
        ("foo#zz = Foo;", 1, 4, "got id '#zz', expected 1 to 8 hex digits"),
        ("foo#12zz = Foo;", 1, 4, "got id '#12zz', expected 1 to 8 hex digits"),
        ("foo#_1 = Foo;", 1, 4, "got id '#_1', expected 1 to 8 hex digits"),
        ("a x:int#zz = A;", 1, 8, "got '#zz', expected a type"),
        ("---methods---", 1, 1, "got section 'methods', expected '---types---' or '---functions---'"),
        ("a flags:# x:flags.32?int = A;", 1, 19, "got flag bit 32, expected 0 to 31"),
        ("a flags:# x:flags.99999999999?int = A;", 1, 19, "got flag bit 99999999999, expected 0 to 31"),
        ("a flags:# x:flags?int = A;", 1, 13, "a condition needs a bit, such as 'flags.0?'"),
        ("a flags:# x:flags.1 int = A;", 1, 21, "got 'int', expected '?' after the flag bit"),
        ("a x:4 = A;", 1, 5, NUMBER.format(4)),
        ("a x:(Tuple int 4) = A;", 1, 16, NUMBER.format(4)),
        ("a x:Tuple<int,4> = A;", 1, 15, NUMBER.format(4)),
        ("a = Vector 4;", 1, 12, NUMBER.format(4)),
        ("a n:# x:n [ int ] y:4 [ int ] = A;", 1, 21, NUMBER.format(4)),
        ("a x:4*int = A;", 1, 7, "got 'int', expected '['"),
        ("a x:9999999999*[ int ] = A;", 1, 5, "a repetition of 9999999999 is out of range"),
        ("a x:4*[ ] = A;", 1, 7, "a repetition of nothing"),
        ("a #*[ int ] = A;", 1, 4, "got '*', expected a number or a field's name before '*'"),
        ("a x:Vector<int = A;", 1, 16, "got '=', expected '>'"),
        ("a x:(Vector int = A;", 1, 17, "got '=', expected ')'"),
        ("a x:(4*[ int ] int) = A;", 1, 6, "only a type's name can be applied to arguments"),
        ("a {X:Type} x:(!X int) = A;", 1, 15, "only a type's name can be applied to arguments"),
        ("a x:(# int) = A;", 1, 6, "only a type's name can be applied to arguments"),
        ("a x:%4*[ int ] = A;", 1, 5, "'%' makes a type bare, not a repetition"),
        ("a x:!4 = A;", 1, 6, "got '4', expected a type variable after '!'"),
        ("a = 4*[ int ];", 1, 5, "the result is a type, not a repetition"),
        ("a x:int+1 = A;", 1, 8, "type arithmetic is not supported: MTProto has none"),
        ("a n:# x:(n+1)*[ int ] = A;", 1, 11, "type arithmetic is not supported: MTProto has none"),
        ("a n:# x:(2 + n)*[ int ] = A;", 1, 12, "type arithmetic is not supported: MTProto has none"),
        ("a {n:#} = A (n + 1);", 1, 16, "type arithmetic is not supported: MTProto has none"),
        ("a {n:#} x:2+n = A n;", 1, 12, "type arithmetic is not supported: MTProto has none"),
        ("a x:int {X:Type} = A;", 1, 9, "got '{', expected a field, or '=': type variables stand before all"),
        ("a {X:Type = A;", 1, 11, "got '=', expected '}'"),
        ("a {:Type} = A;", 1, 4, "got ':', expected the name of a type variable"),
        ("a x.y:int = A;", 1, 3, "got field name 'x.y', expected one without a dot"),
        ("New A;", 1, 1, "'New' declarations are not supported: MTProto has none"),
        ("Final A;", 1, 1, "'Final' declarations are not supported: MTProto has none"),
        ("a = A; Empty False;", 1, 8, "'Empty' declarations are not supported: MTProto has none"),
        ("Vector int;", 1, 11, "got ';', expected a field, or '=': MTProto has no partial applications"),
        ("_ x:int = A;", 1, 1, "a combinator without a name ('_') is not supported: MTProto has none"),
        ("@read get = A;", 1, 1, "modifiers of a declaration ('@…') are not supported: MTProto has none"),
        ("a x:int _ = A;", 1, 9, "got '_', expected a type"),
        ("a {_:Type} = A;", 1, 4, "got '_', expected the name of a type variable"),
        ("a x:f.1?(f.2?int) = A;", 1, 11, "got '.', expected ')'"),
        ("a x:(f?int) = A;", 1, 6, "a condition needs a bit, such as 'flags.0?'"),
        ("a x:(f.1?int = A;", 1, 14, "got '=', expected ')'"),
        ("===x=== a = A;", 1, 1, "got '=', expected the name of a combinator"),
        ("===9999999999===", 1, 1, "layer '9999999999' is out of range"),
        ("a x:2*[ int = A;", 1, 13, "got '=', expected a type"),
        ("a x:2*[ int ; b = B;", 1, 13, "got ';', expected a field, or ']'"),
        ("a ! = A;", 1, 5, "got '=', expected a type variable after '!'"),
        ("a x:int @ = A;", 1, 9, "got '@', expected a type"),
        ("é = A;", 1, 1, "got 'é', expected the name of a combinator"),
        ("_a = A;", 1, 1, "got '_', expected the name of a combinator"),
        ("a = A; /* b", 1, 8, "this comment is never closed: expected '*/'"),
        ("a /* = A;", 1, 3, "this comment is never closed: expected '*/'"),
    ],
)
def test_errors_say_where(text: str, line: int, column: int, message: str) -> None:
    error = refused(text)
    assert (error.line, error.column) == (line, column)
    assert error.text == text.split("\n")[line - 1]
    assert error.message.startswith(message)


def test_errors_show_the_line_with_a_caret() -> None:
    assert str(refused("a = A;\r\n\tb x:flags.77?int = B;\r\nc = C;")) == (
        "2:12: got flag bit 77, expected 0 to 31\n"
        "     b x:flags.77?int = B;\n"  # the tab is shown as one space, so that the caret fits
        "               ^"
    )


def test_errors_show_the_part_of_a_long_line_that_matters() -> None:
    error = refused(f"a {'x:int ' * 1000}@ = A;")
    place, shown, caret = str(error).split("\n")
    assert place.startswith(f"1:{3 + 6000}: got '@'")
    assert len(shown) < 200
    assert shown[caret.index("^")] == "@"


def test_all_errors_at_once() -> None:
    error = refused("a = ;\nb = B;\nc x:4 = C;\n---sections---\nd x:* = D;\ne flags:# x:flags.40?int = E;\nf")
    assert [(e.line, e.column) for e in error.errors] == [(1, 5), (3, 5), (4, 1), (5, 5), (6, 19), (7, 2)]
    assert error is error.errors[0]
    assert [line for line in str(error).split("\n") if not line.startswith("    ")] == [
        f"{e.line}:{e.column}: {e.message}" for e in error.errors
    ]


def test_errors_are_not_without_end() -> None:
    assert len(refused("= ;\n" * 1000).errors) == 50


def test_after_an_error_the_parser_goes_on_behind_the_declaration() -> None:
    for declaration in (
        "a x:4 // ; y = ;\n /* ; z = ; */ = A / ;",
        "a x:f?int = A;",  # two tokens were looked at ahead
        "a x:(f?int) = A;",
        "a x:f.99?int = A;",
    ):
        error = refused(f"{declaration} b x:int = B; c = ;")
        assert [e.message.split(",")[-1] for e in error.errors][1:] == [" expected a type"]
        assert error.errors[1].text.endswith(" c = ;")


def test_an_error_leaves_what_follows_untouched() -> None:
    nested = "(" * MAX_NESTING
    error = refused(f"a x:{nested}; b x:{'(' * (MAX_NESTING - 1)}int{')' * (MAX_NESTING - 1)} = B; c = ;")
    assert [e.message[:9] for e in error.errors] == ["types nes", "got ';', "]


@pytest.mark.parametrize(
    ("opening", "closing"),
    [
        ("(", ")"),
        ("Vector<", ">"),
        ("Vector ", ""),
        ("%", ""),
        ("2*[ ", " ]"),
        ("[x:", "]"),
        ("(Map int ", ")"),
    ],
)
def test_nesting_is_bounded(opening: str, closing: str) -> None:
    near = MAX_NESTING - 1
    assert "int" in str(parse_type(f"{opening * near}int{closing * near}"))
    for depth in (MAX_NESTING, 10**5):
        error = refused(f"a x:{opening * depth}int{closing * depth} = A;")
        assert error.message == f"types nest deeper than {MAX_NESTING}"


def test_errors_quote_no_long_words() -> None:
    for text in (
        "a x:int = " + "=" * 10**6,
        f"a = {'b' * 10**6} = c;",
        f"a#{'f' * 10**6} = A;",
        f"a x:{'1' * 10**6};",
    ):
        assert len(str(refused(text))) < 500
    error = refused(f"\n{'= ;' * 10**5}")  # the line is kept once for all of them
    assert len({id(one.text) for one in error.errors}) == 1


SIZE = 100_000
HUGE = {
    **{
        symbol: symbol * SIZE
        for symbol in ("(", "{", "<", "[", "%", "!", "#", "-", "=", "é", ";", "/", "a", "1")
    },
    **{
        f"a x:{symbol}": f"a x:{symbol * SIZE}"
        for symbol in ("(", "{", "<", "[", "%", "!", "#", "*", "1", "a.")
    },
    "comments that are never closed": "/* " * (SIZE // 3),
    "a comment that is never closed": "/*" + "a" * SIZE,
    "comments": "/**/" * (SIZE // 4),
    "line comments": "//x\n" * (SIZE // 4),
    "doc comments": "//@a b\n" * (SIZE // 7),
    "doc comments that go on": f"//@description x\n{'//-a' * (SIZE // 4)}\na = A;",
    "tags": f"//@description {'@x ' * (SIZE // 3)}\na x:int = A;",
    "layers": "===1===\n" * (SIZE // 8),
    "sections": "---types---" * (SIZE // 11),
    "lines": "\n" * SIZE,
    "lines and an error": "\n" * SIZE + "a = ;",
    "names in a parenthesis": f"a ({'a ' * (SIZE // 2)}",
    "comments in a parenthesis": f"a ({'a/**/' * (SIZE // 5)}",
    "parentheses with names": f"a {'(a ' * (SIZE // 3)}",
    "vectors": f"a x:{'Vector ' * (SIZE // 7)}",
    "vectors in brackets": f"a x:{'Vector<' * (SIZE // 7)}",
    "arguments": f"a x:B<{'a,' * (SIZE // 2)}a> = A;",
    "variables": f"a {{{'X ' * (SIZE // 2)}",
    "errors": "= ;" * (SIZE // 3),
}


@pytest.mark.parametrize("text", HUGE.values(), ids=list(HUGE))
def test_huge_texts_take_time_in_proportion(text: str) -> None:
    start = time.process_time()
    result = outcome(text)
    # At most about 4 µs a character; what took time in proportion to the square would take hours.
    assert time.process_time() - start < 8
    assert isinstance(result, SchemaError) or result.combinators is not None


def test_large_schemas_take_time_in_proportion() -> None:
    count = 5_000
    for text, expected in (
        (f"a {' '.join(f'f{i}:int' for i in range(count))} = A;", 1),
        (f"a ({' '.join(f'f{i}' for i in range(count))}:int) = A;", 1),
        (f"a {' '.join(f'w{i}:# f{i}:w{i}.3?true' for i in range(count))} = A;", 1),
        ("".join(f"c{i} x:int y:Vector<C> = C; " for i in range(count)), count),
        ("".join(f"c{i} x:int = C{i};\n" for i in range(count)), count),
        (f"---functions---{''.join(f'c{i}#1 = Bool;' for i in range(count))}", count),
    ):
        start = time.process_time()
        assert len(Schema.parse(text).combinators) == expected
        assert time.process_time() - start < 8  # about a second


# Whatever the text, it is parsed or explained

TOKENS = """
a Foo flags x.y Vector vector int true # #1 #abcdefab . : ? = ; { } ( ) [ ] < > , ! % * + - 1 32 flags.0? X:Type
---types--- ---functions--- -- // //- /* */ ² é \\ " \0
"""
FRAGMENTS = [
    *TOKENS.split(),
    " ",
    "\n",
    "\t",
    "\r\n",
    "a = A;",
    "//@description ",
    "//@error 400 ",
    "// LAYER 7",
    "===7===",
    "// ===7===",
    "_",
    "@",
]


def outcome(text: str) -> ParsedSchema | SchemaError:
    """What parsing `text` gives or raises; any other exception is none of these."""
    try:
        return parse(text)
    except SchemaError as error:
        return error


def parses_or_explains(text: str) -> None:
    result = outcome(text)
    if isinstance(result, SchemaError):
        lines = text.split("\n")
        for error in result.errors:
            assert 1 <= error.line <= len(lines)
            assert 1 <= error.column <= len(lines[error.line - 1]) + 1
            assert error.describe() in str(result)


@given(st.text())
def test_any_text_parses_or_is_explained(text: str) -> None:
    parses_or_explains(text)


@settings(max_examples=400)
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=40).map("".join))
def test_any_tokens_parse_or_are_explained(text: str) -> None:
    parses_or_explains(text)


@settings(max_examples=200)
@given(st.data())
def test_any_damage_parses_or_is_explained(data: st.DataObject) -> None:
    lines = (SCHEMAS / "mtproto.tl").read_text("utf-8").splitlines()
    line = data.draw(st.sampled_from([line for line in lines if line and not line.startswith("//")]))
    start = data.draw(st.integers(0, len(line)))
    end = data.draw(st.integers(start, min(len(line), start + 8)))
    parses_or_explains(line[:start] + data.draw(st.sampled_from(FRAGMENTS)) + line[end:])


def test_an_id_that_was_forgotten() -> None:
    with pytest.raises(SchemaError, match="got '#' without an id, expected 1 to 8 hex digits") as caught:
        parse("baz# = Baz;")
    assert (caught.value.line, caught.value.column) == (1, 4)
