"""What the documents say of salts, once more: which a server takes, refuses and tells, and which a client uses.

The timetable of a server is told by what it says, and by whoever changes its salt; of a salt that nobody has
been told nothing is known, and nothing said.

Specification: core.telegram.org/mtproto/description#server-salt, core.telegram.org/mtproto/service_messages.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import floor, inf

from mtproto import service
from mtproto.events import SessionId
from mtproto.testing.ledger import Said

__all__ = ["ClientSalts", "ServerSalts"]

_HALF = 1800
_LATE = 100.0
"""Seconds after which a client has to use the salt whose time has come, whatever its clock says."""
_TICK = 2.0**-32
_INSTANT = 2**22
"""What a msg_id is ahead of the one before at least, if it tells the time: others may only have to be higher."""


@dataclass(slots=True)
class _Timetable:
    """Salts since `base`: each is the current one for half an hour, and good for another one.

    `previous` is the salt before all of them, None where it is not known, and until when it is good; `over` are
    those that were known before, of which no other is good.
    """

    base: int
    values: dict[int, int] = field(default_factory=dict)
    previous: tuple[int | None, float] = (None, -inf)
    over: frozenset[int] = frozenset()

    def place(self, time: float) -> int:
        """The number of the salt that is the current one."""
        return floor((time - self.base) / _HALF)

    def takes(self, salt: int, time: float) -> bool | None:
        """Whether `salt` is good; None where that can't be known."""
        place = self.place(time)
        good = [self.values.get(i) for i in (place, place - 1) if i >= 0]
        if time < self.previous[1]:
            good.append(self.previous[0])
        if salt in good:
            return True
        return None if None in good and salt not in self.known() else False

    def known(self) -> frozenset[int]:
        """All salts that anybody was told."""
        return self.over | set(self.values.values())


class ServerSalts:
    """The salts of one key, of which `first` begins at `time`."""

    def __init__(self, first: int, time: float) -> None:
        self._timetable = _Timetable(floor(time), {0: first})
        self._came: dict[int, list[tuple[_Timetable, float, int]]] = {}
        self._doubtful: set[int] = set()

    def changed(self, time: float, *, keep_previous: bool) -> None:
        """Another salt begins now; of those before only the current one stays good, or none."""
        old = self._timetable.values.get(self._timetable.place(time))
        previous = (old, floor(time) + _HALF) if keep_previous else (None, -inf)
        self._timetable = _Timetable(floor(time), {}, previous, self._timetable.known())

    def arrived(self, said: Said, time: float) -> None:
        """The server gets this message of the client's."""
        for msg_id in {said.msg_id, said.container or said.msg_id}:
            self._came.setdefault(msg_id, []).append((self._timetable, time, said.salt))

    def doubted(self, said: Said) -> None:
        """The server may have got this message, sometime: of what it says of that one nothing is known."""
        self._doubtful |= {said.msg_id, said.container or said.msg_id}

    def refused(self, notice: service.BadServerSalt) -> Iterator[str]:
        """The server says that the salt of a message was wrong, and which is right."""
        if notice.bad_msg_id in self._doubtful:
            return
        came = self._came.get(notice.bad_msg_id, [])
        if all(table.takes(salt, time) for table, time, salt in came):
            yield f"refuses {notice.bad_msg_id} for its salt, which is right, or unseen"
        yield from self._told(came, notice.new_server_salt)

    def created(self, notice: service.NewSessionCreated) -> Iterator[str]:
        """The server says which salt is right as it begins a session."""
        if notice.first_msg_id not in self._doubtful:
            yield from self._told(self._came.get(notice.first_msg_id, []), notice.server_salt)

    @staticmethod
    def _told(came: list[tuple[_Timetable, float, int]], salt: int) -> Iterator[str]:
        known = [table.values.get(table.place(time)) for table, time, _ in came]
        if len(came) == 1 and known == [None]:
            table, time, _ = came[0]
            table.values[table.place(time)] = salt
        elif salt not in known and None not in known:
            yield f"tells salt {salt}, expected one of {known}"

    def listed(self, answer: service.FutureSalts) -> Iterator[str]:
        """The server says which salts are good when."""
        came = self._came.get(answer.req_msg_id, [])
        tables = {id(table): table for table, _, _ in came}
        if len(tables) != 1 or answer.req_msg_id in self._doubtful:  # nobody knows which it was answered by
            return
        for table in tables.values():
            first = [row.valid_since for row in answer.salts[:1]]
            if first not in [[table.base + _HALF * table.place(time)] for _, time, _ in came]:
                yield f"lists salts from {first} on, which is not the current one"
            for row in answer.salts:
                place, rest = divmod(row.valid_since - table.base, _HALF)
                if rest or row.valid_until - row.valid_since != 2 * _HALF:
                    yield f"lists a salt for {row.valid_since} to {row.valid_until}"
                elif table.values.setdefault(place, row.salt) != row.salt:
                    yield f"lists salt {row.salt} for a time that has {table.values[place]}"

    def taken(self, msg_id: int) -> Iterator[str]:
        """The server says that it has taken the message `msg_id`."""
        if msg_id in self._doubtful:
            return
        if all(table.takes(salt, time) is False for table, time, salt in self._came.get(msg_id, [])):
            yield f"has taken {msg_id}, which never came with a good salt"


class ClientSalts:
    """What a client has been told, `first` before all else, and what it may use after that."""

    def __init__(self, first: int) -> None:
        self._heard = {first: 0}
        self._count = 0
        self._begins: dict[int, int] = {}
        self._lists: dict[int, dict[int, int]] = {}
        self._timetable: dict[int, int] = {}
        self._created: dict[tuple[SessionId, int], tuple[int, int]] = {}
        self._floor = self._last = 0
        self._floor_salt = first

    def _hears(self, salt: int) -> None:
        self._count += 1
        self._heard[salt] = self._count

    def corrected(self, said: Said, salt: int, *, is_new_session: bool) -> None:
        """The client gets word which salt is right."""
        self._hears(salt)
        self._timetable = {}  # or a part of it stays, as its clock says
        if is_new_session:
            self._created.setdefault((said.session, said.msg_id), (self._count, salt))

    def listed(self, msg_id: int, answer: service.FutureSalts) -> None:
        """The client gets the timetable."""
        for row in answer.salts:
            self._hears(row.salt)
            self._begins[row.salt] = row.valid_since
        if msg_id not in self._lists:  # a copy is ignored
            self._timetable = self._lists[msg_id] = {row.salt: row.valid_since for row in answer.salts}

    def ignored(self, msg_id: int) -> None:
        """The client says that it has not taken this message."""
        if msg_id in self._lists:
            self._timetable = {}

    def acknowledged(self, session: SessionId, msg_id: int) -> None:
        """The client says that it has this message: if it was about a new session, what was told before is over."""
        count, salt = self._created.get((session, msg_id), (0, 0))
        if count > self._floor:
            self._floor, self._floor_salt = count, salt

    def used(self, said: Said) -> Iterator[str]:
        """The client says something."""
        salt = said.salt
        if salt not in self._heard:
            yield f"salt {salt} is none that the server has told"
            return
        begins = self._begins.get(salt, -inf)
        if self._heard[salt] < self._floor and not begins > self._begins.get(self._floor_salt, inf):
            yield f"salt {salt} is one from before the new session, whose salt is {self._floor_salt}"
        tells_time, self._last = said.msg_id > self._last + _INSTANT, max(self._last, said.msg_id)
        time = min(said.time, said.msg_id * _TICK) if tells_time else -inf
        due = [since for since in self._timetable.values() if since + _LATE <= time < since + 2 * _HALF]
        if salt in self._timetable and due and begins < max(due):
            yield f"salt {salt} is still in use {time - max(due):.0f} s after the next one has begun"
