"""What no fault can be, or what makes no sense where it is to happen, is refused, and it says why."""

from __future__ import annotations

from dataclasses import fields
from enum import Enum
from typing import Any

import pytest

from mtproto.connection import Deadlines
from mtproto.errors import LocalProtocolError
from mtproto.testing import Ending, Pair, faults
from mtproto.testing.faults import FAULTS, Fault
from mtproto.transport import FRAMINGS
from tests.mtproto.helpers import TEST_KEY


@pytest.mark.parametrize("transport", [name for name in FRAMINGS if name != "full"])
@pytest.mark.parametrize("field", ["seq", "crc"])
def test_a_field_that_a_transport_does_not_have_can_not_be_changed(transport: str, field: str) -> None:
    with pytest.raises(
        LocalProtocolError, match=f"does not fit here: {field} is a field of the full framing"
    ):
        Pair(transport=transport, faults=[faults.FlipBit(field=field)])


def test_without_keep_alive_a_half_open_connection_would_never_be_found() -> None:
    with pytest.raises(LocalProtocolError, match="nobody would ever find out"):
        Pair(faults=[faults.HalfOpen()])


@pytest.mark.parametrize(
    ("fault", "options", "why"),
    [
        (faults.DhGenRetry(), {}, "without a key= there is no key exchange"),
        (faults.DhGenFail(), {}, "without a key="),
        (faults.BadKeyExchange(), {}, "without a key="),
        (faults.BadKeyExchange(), {"key": TEST_KEY, "begun": True}, "the key exchange of this Pair is over"),
        (faults.DhGenFail(), {"key": TEST_KEY, "begun": True}, "the key exchange of this Pair is over"),
        (faults.HalfHandshakes(), {"deadlines": Deadlines()}, "without a key="),
        (faults.HalfHandshakes(), {"key": TEST_KEY}, "without deadlines= that end it"),
        (faults.Slowloris(), {}, "without deadlines= that end it"),
        (faults.ForgedQuickAck(), {"transport": "full"}, "the full transport has no quick acks"),
    ],
    ids=str,
)
def test_what_does_not_fit_a_pair_is_refused_and_it_says_why(fault: Fault, options: Any, why: str) -> None:
    with pytest.raises(LocalProtocolError, match=f"does not fit here: {why}"):
        Pair(faults=[fault], **options)


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        (lambda: Pair(faults=["DropAnswer"]), "got 'DropAnswer' among the faults"),  # type: ignore[list-item]
        (lambda: Pair(faults=[faults.DropAnswer]), "among the faults"),  # type: ignore[list-item]
        (lambda: faults.DropAnswer(nth=-1), "DropAnswer: got -1 for nth, expected an int >= 0"),
        (lambda: faults.DropAnswer(times=0), "got 0 for times, expected an int >= 1"),
        (lambda: faults.Fragments(0), "got 0 for size"),
        (lambda: faults.Cut(after=-5), "got -5 for after"),
        (lambda: faults.FlipBit(field="salt"), "no field is called 'salt'; known are: auth_key_id"),
        (lambda: faults.FlipBit(field="crc", bit=32), "got bit 32 of crc, expected 0..31"),
        (lambda: faults.TransportError(code=404), "got 404 for code, expected an int from -2147483648 to -1"),
        (lambda: faults.ForgedContainer(kind="odd"), "no kind is called 'odd'; known are: empty"),
        (lambda: faults.BadAnswer(kind="odd"), "no kind is called 'odd'"),
        (lambda: faults.StrayMessage(kind="odd"), "no kind is called 'odd'"),
        (lambda: faults.Delay(seconds=-1.0), "Delay: got -1.0 for seconds, expected a number, 0 or more"),
        (lambda: faults.SkewClock(float("nan")), "SkewClock: got nan for seconds, expected a number"),
        (lambda: faults.SaltRotation(pending=-1), "got -1 for pending"),
        (lambda: faults.UpdateFlood(count=0), "got 0 for count"),
        (lambda: faults.BadUpdate(kind="odd"), "BadUpdate: no kind is called 'odd'; known are: bomb"),
        (lambda: faults.BadRequest(kind="bad error"), "no kind is called 'bad error'"),
        (lambda: faults.BadKeyExchange(kind="odd"), "known are: resPQ with another nonce"),
        (lambda: faults.DhGenRetry(nth=-1), "DhGenRetry: got -1 for nth"),
        (lambda: faults.DhGenFail(times=0), "DhGenFail: got 0 for times"),
        (lambda: faults.ForgedQuickAck(token=bytes(4)), "expected 4 bytes, the top bit of the last one set"),
        (lambda: faults.ForgedQuickAck(token=b"\xff"), "got token"),
        (lambda: faults.Truncate(keep=-1), "got -1 for keep"),
        (lambda: faults.Truncate(ending=Ending.SILENCE), "expected FIN or RST"),
        (lambda: faults.SlowReader(rate=0), "got 0 for rate, expected a number, above 0"),
        (lambda: faults.Slowloris(rate=float("inf")), "got inf for rate"),
        (lambda: faults.Slowloris(count=0), "got 0 for count"),
        (lambda: faults.Drop(side="server"), "Drop: got 'server' for side, expected a Side"),  # type: ignore[arg-type]
        (lambda: faults.Slowloris(count=10**30), "for count, expected an int from 1 to 100000"),
        (lambda: faults.HalfHandshakes(queries=3), "got 3 for queries, expected an int from 1 to 2"),
    ],
)
def test_what_no_fault_can_be_is_refused(wrong: Any, complaint: str) -> None:
    with pytest.raises(LocalProtocolError, match=complaint):
        wrong()


WRONG: dict[type, tuple[object, ...]] = {
    int: (-(10**30), 1.5, float("nan"), "1", None, True),
    float: (float("nan"), float("inf"), 10**400, "1", None, True),
    bool: ("no", 1, None),
    str: ("odd", b"msg_key", [], 1, None),
    bytes: ("\x0b\xad\xac\xfc", bytearray(b"\x0b\xad\xac\xfc"), b"", 1, None),
}
"""What a field whose default is of this class can't be, whatever it is about."""


@pytest.mark.parametrize("fault", FAULTS)
def test_no_field_takes_what_it_can_not_be(fault: type[Fault]) -> None:
    for field in fields(fault):
        kind = type(field.default)
        wrong = WRONG.get(kind, ("server", "SERVER", "fin", 0, 1, None))
        assert kind in WRONG or issubclass(kind, Enum)
        if field.name == "count":
            wrong = (*wrong, 0, 10**30)
        if (fault, field.name) == (faults.SkewClock, "seconds"):
            wrong = (*wrong, 1e30, -(2.0**31))
        elif kind is float:
            wrong = (*wrong, -1, -0.5)
        for value in wrong:
            with pytest.raises(LocalProtocolError) as caught:
                fault(**{field.name: value})
            assert str(caught.value).startswith(f"{fault.__name__}: "), (field.name, value)
