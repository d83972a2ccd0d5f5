"""The virtual clock, and one direction of a stream: when which bytes arrive, and how it ends."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtproto.errors import LocalProtocolError
from mtproto.testing.network import Ending, Link, Network, Notes
from mtproto.testing.timeline import Timeline


class Receiver:
    """What has arrived, and when, counted from the start."""

    def __init__(self, network: Network, *, seed: int = 0) -> None:
        self.clock = Timeline(0.0)
        self.got: list[tuple[float, bytes]] = []
        self.notes: list[str] = []
        self.ends: list[tuple[float, Ending]] = []
        self.link: Link[str] = Link(network, self.clock, Random(seed), self.take, self.end)

    def take(self, data: bytes, notes: Notes[str]) -> None:
        self.got.append((round(self.clock.now, 6), data))
        self.notes += [note for _, note in notes]

    def end(self, ending: Ending) -> None:
        self.ends.append((round(self.clock.now, 6), ending))

    def run(self) -> None:
        while self.clock.step():
            pass

    @property
    def data(self) -> bytes:
        return b"".join(data for _, data in self.got)


def test_things_happen_in_the_order_of_their_times_and_at_once_in_that_of_entry() -> None:
    clock, done = Timeline(0.0), list[tuple[str, float]]()
    for name, when in (("c", 2.0), ("a", 1.0), ("b", 1.0), ("past", -5.0)):
        clock.at(when, lambda name=name: done.append((name, clock())))  # type: ignore[misc]
    while clock.step():
        pass
    assert done == [("past", 0.0), ("a", 1.0), ("b", 1.0), ("c", 2.0)]


def test_what_is_cancelled_does_not_happen_and_timers_are_no_deeds() -> None:
    clock, done = Timeline(0.0), list[str]()
    entry = clock.after(1, lambda: done.append("cancelled"))
    clock.at(2, lambda: done.append("timer"), is_timer=True)
    assert clock.deeds == 1
    entry.cancel()
    entry.cancel()
    assert (clock.deeds, clock.next()) == (0, 2)
    assert clock.step()
    assert (clock.deeds, done, clock.step()) == (0, ["timer"], False)


def test_a_perfect_network_takes_no_time() -> None:
    receiver = Receiver(Network())
    receiver.link.send(b"one", ((3, "first"),))
    receiver.link.send(b"two", ((6, "second"),))
    receiver.run()
    assert receiver.got == [(0.0, b"one"), (0.0, b"two")]
    assert receiver.notes == ["first", "second"]


def test_latency_and_bandwidth_add_up() -> None:
    receiver = Receiver(Network(latency=0.5, bandwidth=10))
    receiver.link.send(bytes(10))
    receiver.link.send(bytes(5))
    receiver.run()
    assert [when for when, _ in receiver.got] == [1.5, 2.0]


def test_pieces_have_the_size_of_a_fragment_at_most_and_notes_come_with_the_last_byte() -> None:
    receiver = Receiver(Network(fragment=3, bandwidth=1))
    receiver.link.send(b"0123456", ((3, "first"), (5, "second"), (7, "third")))
    noted = []
    while receiver.clock.step():
        noted.append(list(receiver.notes))
    assert receiver.got == [(3.0, b"012"), (6.0, b"345"), (7.0, b"6")]
    assert noted == [["first"], ["first", "second"], ["first", "second", "third"]]


def test_what_arrives_within_a_while_arrives_in_one_piece() -> None:
    receiver = Receiver(Network(fragment=1, bandwidth=10, coalesce=0.25))
    receiver.link.send(b"abcdef", ((6, "x"),))
    receiver.run()
    assert receiver.got == [(0.35, b"abc"), (0.65, b"def")]
    assert receiver.notes == ["x"]


@given(
    st.lists(st.binary(min_size=1, max_size=30), min_size=1, max_size=8),
    st.builds(
        Network,
        latency=st.floats(0, 2),
        jitter=st.floats(0, 2),
        bandwidth=st.none() | st.floats(1, 1e6),
        fragment=st.none() | st.integers(1, 40),
        coalesce=st.floats(0, 2),
    ),
    st.integers(0, 100),
)
def test_whatever_the_network_is_like_all_bytes_arrive_in_order_before_the_end(
    sent: list[bytes], network: Network, pause: int
) -> None:
    receiver = Receiver(network)
    for data in sent:
        receiver.link.send(data)
        receiver.clock.skip(receiver.clock.now + pause / 100)
    receiver.link.finish()
    receiver.run()
    assert receiver.data == b"".join(sent)
    assert [ending for _, ending in receiver.ends] == [Ending.FIN]
    assert receiver.ends[0][0] >= receiver.got[-1][0]
    times = [when for when, _ in receiver.got]
    assert times == sorted(times)


@pytest.mark.parametrize("after", range(8))
@pytest.mark.parametrize("ending", Ending)
def test_a_stream_is_cut_at_any_byte(after: int, ending: Ending) -> None:
    receiver = Receiver(Network(latency=1))
    receiver.link.cut(after, ending)
    receiver.link.send(b"0123", ((2, "first"), (4, "second")))
    receiver.link.send(b"4567", ((8, "third"),))
    receiver.link.send(b"89", ((10, "fourth"),))
    receiver.run()
    assert receiver.data == b"01234567"[:after]
    assert [e for _, e in receiver.ends] == ([] if ending is Ending.SILENCE else [ending])
    assert receiver.notes == [
        note for end, note in ((2, "first"), (4, "second"), (8, "third")) if end <= after
    ]


def test_a_reset_is_told_at_once_and_an_end_when_it_arrives() -> None:
    for ending, when in ((Ending.RST, 0.0), (Ending.FIN, 1.0)):
        receiver = Receiver(Network(latency=1))
        receiver.link.cut(4, ending)
        receiver.link.send(b"0123")
        receiver.run()
        assert receiver.ends == [(when, ending)]


def test_what_is_on_its_way_is_lost_with_the_stream() -> None:
    receiver = Receiver(Network(latency=1))
    receiver.link.send(b"0123")
    receiver.link.drop()
    receiver.link.send(b"4567")
    receiver.link.finish()
    receiver.run()
    assert (receiver.got, receiver.ends) == ([], [])


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"latency": -1}, "got -1 for latency, expected a number, 0 or more"),
        ({"latency": 10**400}, "for latency, expected a number"),
        ({"jitter": "much"}, "got 'much' for jitter, expected a number"),
        ({"latency": float("nan")}, "expected a number"),
        ({"loss": True}, "expected a number"),
        ({"bandwidth": 0}, "nothing would ever arrive"),
        ({"fragment": 0}, "expected an int >= 1"),
        ({"fragment": 1.5}, "expected an int >= 1"),
        ({"loss": 1.5}, "got 1.5 for loss, expected at most 1"),
        ({"coalesce": None}, "got None for coalesce"),
    ],
)
def test_what_no_network_can_be_is_refused(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(LocalProtocolError, match=complaint):
        Network(**options)


def test_what_is_lost_with_the_stream_is_not_waited_for() -> None:
    receiver = Receiver(Network(bandwidth=1, fragment=1))
    receiver.link.send(b"0123")
    receiver.clock.step()
    receiver.link.drop()
    assert (receiver.clock.deeds, receiver.clock.next(), receiver.data) == (0, None, b"0")


def test_what_nobody_takes_any_more_is_not_waited_for() -> None:
    receiver = Receiver(Network(latency=5))
    receiver.link.send(b"0123")
    receiver.link.ignore()
    receiver.link.send(b"4567")
    receiver.run()
    assert receiver.data == b"4567"
