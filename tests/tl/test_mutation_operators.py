"""What each operator of `tl.mutations` makes, in bytes written by hand."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import pytest

import tl
from mtproto import api
from tests.tl.test_inspection import ANSWER, REQUEST
from tl.mutations import OPERATORS, mutate

SMALL = tl.load(
    """\
leaf#1 = Leaf;
other#2 x:int = Leaf;
same#3 x:int = Leaf;
numbers#4 i:int d:double ok:Bool = Numbers;
lists#5 v:Vector<int> b:vector<Leaf> = Lists;
rows#6 n:# a:n*[ x:int ] b:n*[ s:string ] = Rows;
salt#7 since:int = Salt;
bare#8 s:salt = Bare;
node#9 next:Node = Node;
end#a = Node;
chain#b flags:# next:flags.0?%Chain = Chain;
tree#c name:string children:Vector<Tree> = Tree;
two#d flags:# a:flags.0?int b:flags.0?true c:flags.1?true d:flags.2?Vector<int> e:int = Two;
counted#e flags:# n:flags.1?int rows:flags*[ int ] = Counted;
empty#f v:Vector<true> = Empty;
never#10 x:Never = Never;
maybe#11 flags:# x:flags.0?Never = Maybe;
texts#12 s:string t:string = Texts;
---functions---
get#21 = Leaf;
with#22 {X:Type} layer:int query:!X = X;
""",
    "small",
)

# What stands for bytes below.
WORDS = {
    "NUMBER": "0c2b3132 30323535 35303132 33000000",
    "DIGITS": "2b3132 30323535 35303132 33",
    "SETTINGS": "783d25ad 73000000 15c4b51c",
    "TOKEN": "13617262 69747261 72792064 61746120 68657265",
    "TEXT": "617262 69747261 72792064 61746120 68657265",
    "HASH": "12303132 33343536 37383961 62636465 66303100",
    "HEX": "303132 33343536 37383961 62636465 663031",
    "TYPE": "a2bb00c0 05000000",
    "REST": "e3d31c74 3c000000",
    "WITH": "0d0d9bda 00000000",  # invokeWithLayer, its layer
}

# The operator, the field, the offset, whether it is legal; the data; what is made of it.
OF_THE_API = """
truncate_at_field . 0 illegal
    f956a3a5 NUMBER SETTINGS 01000000 TOKEN
    .
truncate_at_field settings.flags 24 illegal
    f956a3a5 NUMBER SETTINGS 01000000 TOKEN
    f956a3a5 NUMBER 783d25ad
truncate_at_field settings.logout_tokens[0] 32 illegal
    f956a3a5 NUMBER SETTINGS 01000000 TOKEN
    f956a3a5 NUMBER SETTINGS 01000000
truncate_in_field timeout 40 illegal
    0225005e 06000000 TYPE HASH REST
    0225005e 06000000 TYPE HASH e3d31c74 3c
truncate_in_field timeout 40 illegal
    0225005e 06000000 TYPE HASH REST
    0225005e 06000000 TYPE HASH e3d31c74 3c0000
truncate_in_field phone_code_hash 16 illegal
    0225005e 06000000 TYPE HASH REST
    0225005e 06000000 TYPE 12 30
trailing_bytes . 56 illegal
    f956a3a5 NUMBER SETTINGS 01000000 TOKEN
    f956a3a5 NUMBER SETTINGS 01000000 TOKEN 00
trailing_bytes . 44 illegal
    0225005e 06000000 TYPE HASH REST
    0225005e 06000000 TYPE HASH REST 0225005e 06000000 TYPE HASH REST
other_number timeout 40 legal
    0225005e 06000000 TYPE HASH REST
    0225005e 06000000 TYPE HASH e3d31c74 ffffff7f
other_number timeout 40 legal
    0225005e 06000000 TYPE HASH REST
    0225005e 06000000 TYPE HASH e3d31c74 0000003c
other_number type.length 12 legal
    0225005e 06000000 TYPE HASH REST
    0225005e 06000000 a2bb00c0 00000080 HASH REST
other_string phone_number 4 legal
    f956a3a5 NUMBER SETTINGS 01000000 TOKEN
    f956a3a5 00000000 SETTINGS 01000000 TOKEN
other_string phone_number 4 legal
    f956a3a5 NUMBER SETTINGS 01000000 TOKEN
    f956a3a5 fd 253*78 0000 SETTINGS 01000000 TOKEN
other_string phone_number 4 legal
    f956a3a5 NUMBER SETTINGS 01000000 TOKEN
    f956a3a5 fefe0000 254*78 0000 SETTINGS 01000000 TOKEN
invalid_utf8 phone_number 4 illegal
    f956a3a5 NUMBER SETTINGS 01000000 TOKEN
    f956a3a5 01800000 SETTINGS 01000000 TOKEN
invalid_utf8 phone_number 4 illegal
    f956a3a5 NUMBER SETTINGS 01000000 TOKEN
    f956a3a5 03eda080 SETTINGS 01000000 TOKEN
invalid_utf8 phone_code_hash 16 illegal
    0225005e 06000000 TYPE HASH REST
    0225005e 06000000 TYPE 13 HEX 80 REST
dirty_padding phone_number 17 illegal
    f956a3a5 NUMBER SETTINGS 01000000 TOKEN
    f956a3a5 0c DIGITS 010000 SETTINGS 01000000 TOKEN
dirty_padding phone_number 17 illegal
    f956a3a5 NUMBER SETTINGS 01000000 TOKEN
    f956a3a5 0c DIGITS 0000ff SETTINGS 01000000 TOKEN
missing_padding phone_number 17 illegal
    f956a3a5 NUMBER SETTINGS 01000000 TOKEN
    f956a3a5 0c DIGITS SETTINGS 01000000 TOKEN
nonminimal_length phone_number 4 illegal
    f956a3a5 NUMBER SETTINGS 01000000 TOKEN
    f956a3a5 fe0c0000 DIGITS SETTINGS 01000000 TOKEN
nonminimal_length settings.logout_tokens[0] 36 illegal
    f956a3a5 NUMBER SETTINGS 01000000 TOKEN
    f956a3a5 NUMBER SETTINGS 01000000 fe130000 TEXT 00
reserved_length phone_number 4 illegal
    f956a3a5 NUMBER SETTINGS 01000000 TOKEN
    f956a3a5 ff DIGITS 000000 SETTINGS 01000000 TOKEN
reserved_length phone_number 4 illegal
    f956a3a5 NUMBER SETTINGS 01000000 TOKEN
    f956a3a5 ff0c0000 00000000 DIGITS SETTINGS 01000000 TOKEN
huge_length phone_code_hash 16 illegal
    0225005e 06000000 TYPE HASH REST
    0225005e 06000000 TYPE 1c HEX 00 REST
huge_length phone_code_hash 16 illegal
    0225005e 06000000 TYPE HASH REST
    0225005e 06000000 TYPE feffffff 33343536 37383961 62636465 66303100 REST
length_plus_one phone_code_hash 16 legal
    0225005e 06000000 TYPE HASH REST
    0225005e 06000000 TYPE 13 HEX 00 REST
length_plus_one settings.logout_tokens[0] 36 illegal
    f956a3a5 NUMBER SETTINGS 01000000 TOKEN
    f956a3a5 NUMBER SETTINGS 01000000 14 TEXT
length_minus_one phone_code_hash 16 illegal
    0225005e 06000000 TYPE HASH REST
    0225005e 06000000 TYPE 11 HEX 00 REST
count_plus_one settings.logout_tokens 32 illegal
    f956a3a5 NUMBER SETTINGS 01000000 TOKEN
    f956a3a5 NUMBER SETTINGS 02000000 TOKEN
count_minus_one settings.logout_tokens 32 illegal
    f956a3a5 NUMBER SETTINGS 01000000 TOKEN
    f956a3a5 NUMBER SETTINGS 00000000 TOKEN
negative_count settings.logout_tokens 32 illegal
    f956a3a5 NUMBER SETTINGS 01000000 TOKEN
    f956a3a5 NUMBER SETTINGS ffffffff TOKEN
huge_count settings.logout_tokens 32 illegal
    f956a3a5 NUMBER SETTINGS 01000000 TOKEN
    f956a3a5 NUMBER SETTINGS 06000000 TOKEN
huge_count settings.logout_tokens 32 illegal
    f956a3a5 NUMBER SETTINGS 01000000 TOKEN
    f956a3a5 NUMBER SETTINGS ffffff7f TOKEN
add_element settings.logout_tokens 32 legal
    f956a3a5 NUMBER SETTINGS 01000000 TOKEN
    f956a3a5 NUMBER SETTINGS 02000000 TOKEN 00000000
drop_element settings.logout_tokens[0] 32 legal
    f956a3a5 NUMBER SETTINGS 01000000 TOKEN
    f956a3a5 NUMBER SETTINGS 00000000
duplicate_element settings.logout_tokens[0] 32 legal
    f956a3a5 NUMBER SETTINGS 01000000 TOKEN
    f956a3a5 NUMBER SETTINGS 02000000 TOKEN TOKEN
wrong_vector_id settings.logout_tokens 28 illegal
    f956a3a5 NUMBER SETTINGS 01000000 TOKEN
    f956a3a5 NUMBER 783d25ad 73000000 14c4b51c 01000000 TOKEN
missing_vector_id settings.logout_tokens 28 illegal
    f956a3a5 NUMBER SETTINGS 01000000 TOKEN
    f956a3a5 NUMBER 783d25ad 73000000 01000000 TOKEN
flip_flag flags 4 illegal
    0225005e 06000000 TYPE HASH REST
    0225005e 04000000 TYPE HASH REST
flip_true_flag settings.current_number 24 legal
    f956a3a5 NUMBER SETTINGS 01000000 TOKEN
    f956a3a5 NUMBER 783d25ad 71000000 15c4b51c 01000000 TOKEN
flip_unknown_flag settings.flags 24 legal
    f956a3a5 NUMBER SETTINGS 01000000 TOKEN
    f956a3a5 NUMBER 783d25ad 73000080 15c4b51c 01000000 TOKEN
add_field settings.token 24 legal
    f956a3a5 NUMBER SETTINGS 01000000 TOKEN
    f956a3a5 NUMBER 783d25ad 73010000 15c4b51c 01000000 TOKEN 00000000 379779bc
remove_field next_type 4 legal
    0225005e 06000000 TYPE HASH REST
    0225005e 04000000 TYPE HASH 3c000000
remove_field settings.logout_tokens 24 legal
    f956a3a5 NUMBER SETTINGS 01000000 TOKEN
    f956a3a5 NUMBER 783d25ad 33000000
drop_field phone_code_hash 16 illegal
    0225005e 06000000 TYPE HASH REST
    0225005e 06000000 TYPE REST
duplicate_field timeout 44 illegal
    0225005e 06000000 TYPE HASH REST
    0225005e 06000000 TYPE HASH REST 3c000000
swap_fields next_type 36 illegal
    0225005e 06000000 TYPE HASH REST
    0225005e 06000000 TYPE HASH 3c000000 e3d31c74
unknown_constructor . 0 illegal
    0225005e 06000000 TYPE HASH REST
    ffffffff 06000000 TYPE HASH REST
unknown_constructor type 8 illegal
    0225005e 06000000 TYPE HASH REST
    0225005e 06000000 a3bb00c0 05000000 HASH REST
foreign_constructor type 8 illegal
    0225005e 06000000 TYPE HASH REST
    0225005e 06000000 10030a78 05000000 HASH REST
foreign_constructor next_type 36 illegal
    0225005e 06000000 TYPE HASH REST
    0225005e 06000000 TYPE HASH 15c4b51c 3c000000
sibling_constructor type 8 illegal
    0225005e 06000000 TYPE HASH REST
    0225005e 06000000 d9c603ab 05000000 HASH REST
sibling_constructor next_type 36 legal
    0225005e 06000000 TYPE HASH REST
    0225005e 06000000 TYPE HASH 8c15a372 3c000000
missing_constructor_id type 8 illegal
    0225005e 06000000 TYPE HASH REST
    0225005e 06000000 05000000 HASH REST
other_constructor type 8 legal
    0225005e 06000000 TYPE HASH REST
    0225005e 06000000 d9c603ab 00000000 HASH REST
foreign_value type 8 illegal
    0225005e 06000000 TYPE HASH REST
    0225005e 06000000 379779bc HASH REST
splice_value . 0 legal
    0225005e 06000000 TYPE HASH REST
    e3d31c74
wrap_value . 0 legal
    f956a3a5 NUMBER SETTINGS 01000000 TOKEN
    WITH f956a3a5 NUMBER SETTINGS 01000000 TOKEN
wrap_to_limit . 0 legal
    f956a3a5 NUMBER SETTINGS 01000000 TOKEN
    63*WITH f956a3a5 NUMBER SETTINGS 01000000 TOKEN
wrap_beyond_limit . 0 illegal
    f956a3a5 NUMBER SETTINGS 01000000 TOKEN
    65*WITH f956a3a5 NUMBER SETTINGS 01000000 TOKEN
"""

OF_SMALL = """
other_number d 8 legal
    04000000 01000000 0000000000000080 b5757299
    04000000 01000000 000000000000f07f b5757299
other_bool ok 16 legal
    04000000 01000000 0000000000000080 b5757299
    04000000 01000000 0000000000000080 379779bc
bad_bool ok 16 illegal
    04000000 01000000 0000000000000080 b5757299
    04000000 01000000 0000000000000080 01000000
swap_elements v[0] 12 legal
    05000000 15c4b51c 02000000 07000000 08000000 00000000
    05000000 15c4b51c 02000000 08000000 07000000 00000000
drop_elements v 8 legal
    05000000 15c4b51c 02000000 07000000 08000000 00000000
    05000000 15c4b51c 00000000 00000000
needless_vector_id b 12 illegal
    05000000 15c4b51c 00000000 01000000 01000000
    05000000 15c4b51c 00000000 15c4b51c 01000000 01000000
add_element b 12 legal
    05000000 15c4b51c 00000000 01000000 01000000
    05000000 15c4b51c 00000000 02000000 01000000 01000000
count_minus_one v 8 illegal
    05000000 15c4b51c 01000000 01000000 00000000
    05000000 15c4b51c 00000000 01000000 00000000
count_minus_one v 8 legal
    05000000 15c4b51c 01000000 02000000 01000000 01000000
    05000000 15c4b51c 00000000 02000000 01000000 01000000
count_plus_one v 8 illegal
    05000000 15c4b51c 01000000 00000000 00000000
    05000000 15c4b51c 02000000 00000000 00000000
drop_element a[0] 4 legal
    06000000 01000000 07000000 01610000
    06000000 00000000
add_element n 4 legal
    06000000 01000000 07000000 01610000
    06000000 02000000 07000000 00000000 01610000 00000000
duplicate_element a[0] 4 legal
    06000000 01000000 07000000 01610000
    06000000 02000000 07000000 07000000 01610000 01610000
count_minus_one n 4 illegal
    06000000 01000000 07000000 01610000
    06000000 00000000 07000000 01610000
huge_count n 4 illegal
    06000000 01000000 07000000 01610000
    06000000 ffffffff 07000000 01610000
swap_elements b[0] 16 legal
    06000000 02000000 07000000 08000000 01610000 01620000
    06000000 02000000 07000000 08000000 01620000 01610000
truncate_at_field b[1].s 16 illegal
    06000000 02000000 07000000 08000000 01610000 01620000
    06000000 02000000 07000000 08000000 01610000
needless_constructor_id s 4 illegal
    08000000 05000000
    08000000 07000000 05000000
sibling_constructor . 0 legal
    02000000 05000000
    03000000 05000000
wrap_value next.next 8 legal
    09000000 09000000 0a000000
    09000000 09000000 09000000 0a000000
splice_value next 4 legal
    09000000 09000000 0a000000
    09000000 0a000000
wrap_to_limit next 4 legal
    09000000 0a000000
    64*09000000 0a000000
wrap_beyond_limit next 4 illegal
    09000000 0a000000
    65*09000000 0a000000
wrap_value . 4 legal
    0b000000 00000000
    0b000000 01000000 00000000
wrap_value next 8 legal
    0b000000 01000000 00000000
    0b000000 01000000 01000000 00000000
wrap_value . 4 legal
    0c000000 01610000 15c4b51c 00000000
    0c000000 00000000 15c4b51c 01000000 0c000000 01610000 15c4b51c 00000000
add_field a 4 legal
    0d000000 00000000 09000000
    0d000000 01000000 00000000 09000000
remove_field a 4 legal
    0d000000 05000000 07000000 15c4b51c 00000000 09000000
    0d000000 04000000 15c4b51c 00000000 09000000
flip_true_flag c 4 legal
    0d000000 00000000 09000000
    0d000000 02000000 09000000
flip_flag flags 4 illegal
    0d000000 01000000 07000000 09000000
    0d000000 00000000 07000000 09000000
flip_unknown_flag flags 4 illegal
    0e000000 01000000 07000000
    0e000000 00000000 07000000
huge_count v 8 illegal
    0f000000 15c4b51c 00000000
    0f000000 15c4b51c 01040000
count_plus_one v 8 legal
    0f000000 15c4b51c 00000000
    0f000000 15c4b51c 01000000
length_minus_one t 8 legal
    12000000 00000000 01000000
    12000000 00000000 00000000
length_minus_one s 4 legal
    12000000 04616263 04000000 00000000
    12000000 03616263 04000000 00000000
foreign_constructor query 8 illegal
    22000000 05000000 21000000
    22000000 05000000 01000000
wrap_value . 0 legal
    21000000
    22000000 00000000 21000000
"""


class Case(NamedTuple):
    schema: Any
    operator: str
    path: str
    offset: int
    is_legal: bool
    data: bytes
    made: bytes


def cases(schema: object, text: str) -> list[Case]:
    lines = text.strip().splitlines()
    found = []
    for head, data, made in zip(lines[::3], lines[1::3], lines[2::3], strict=True):
        operator, path, offset, legal = head.split()
        path = "" if path == "." else path
        found.append(
            Case(schema, operator, path, int(offset), legal == "legal", encoded(data), encoded(made))
        )
    return found


def encoded(text: str) -> bytes:
    parts = []
    for word in text.replace(".", "").split():
        times, name = re.fullmatch(r"(?:(\d+)\*)?(\w+)", word).groups()  # type: ignore[union-attr]
        parts.append(bytes.fromhex(WORDS.get(name, name)) * int(times or 1))
    return b"".join(parts)


CASES = [*cases(api, OF_THE_API), *cases(SMALL, OF_SMALL)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.operator}-{case.path}")
def test_what_an_operator_makes(case: Case) -> None:
    found = mutate(case.data, case.schema, operators=[case.operator])
    made = [(m.path, m.offset, m.legal, m.data) for m in found]
    assert (case.path, case.offset, case.is_legal, case.made) in made


def test_there_is_a_case_for_every_operator() -> None:
    assert {case.operator for case in CASES} == set(OPERATORS)
    assert {case.data for case in CASES if case.schema is api} == {REQUEST, ANSWER}


def test_operators_say_what_they_do() -> None:
    for name, operator in OPERATORS.items():
        assert operator.name == name
        assert operator.about.endswith(".")
        assert "\n" not in operator.about
        assert repr(operator) == f"<operator {name}: {operator.about}>"
