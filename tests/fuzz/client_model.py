"""A client's session after the documentation: a second implementation, to compare the first one with.

It is told what its caller asks and what the server says, and tells what has to be told (`Said`); what has to go out
is the matter of `tests.fuzz.client_outgoing`.

Specification: core.telegram.org/mtproto/service_messages, service_messages_about_messages, description.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mtproto import service
from mtproto.envelope import Envelope
from tests.fuzz.client_outgoing import SECOND, Outgoing, Query, Request
from tests.fuzz.conversations import (
    Dead,
    Numbered,
    Said,
    Window,
    a_few,
    gunzip,
    name_of,
    read,
    split,
)
from tests.fuzz.verdicts import Broken

__all__ = ["ClientModel"]

_LATEST = (2**31 - 366 * 86400) * SECOND
_CORRECTIONS = ("bad_msg_notification", "bad_server_salt")


class ClientModel(Outgoing):
    """What its caller does, and what the server says."""

    # What the caller does

    def send(self, number: int, body: bytes, after: tuple[int, ...], at_least_once: bool) -> None:
        self.requests[number] = Request(number, body, tuple(dict.fromkeys(after)), at_least_once)

    def drop(self, number: int) -> None:
        request = self.requests.get(number)
        if request is None:
            return
        self._close(request)
        if not request.waits and request.session == self.session_id:
            self._ask(service.RpcDropAnswer(req_msg_id=request.msg_ids[-1]))

    def plain_ask(self, name: str, *values: int) -> None:
        """The caller wants to send a service query, whose fields have these values."""
        cls: Any = service.SCHEMA.by_name[name]
        self._ask(cls(**{f.name: value for f, value in zip(cls.FIELDS, values, strict=True)}))

    def _ask(self, query: Any) -> None:
        self.to_ask.append(Query(bytes(query)))

    def reconnected(self) -> None:
        """Another connection; a new session, of which the server has to hear, where twenty strays came in a row."""
        is_lost, self.strays = self.strays >= 20, self.strays % 20
        if is_lost:
            self._begin_again()
        self.queries.clear()
        self.to_ask.clear()
        self.originals.clear()
        self._ask_about(list(self.requests.values()))
        if is_lost:
            self._ask_for_salts()

    def _ask_about(self, requests: list[Request]) -> None:
        ids = [r.msg_ids[-1] for r in requests if not r.waits and r.session == self.session_id]
        if ids:
            self._ask(service.MsgsStateReq(msg_ids=ids))

    def timer(self) -> Iterator[Said]:
        now = self.clock()
        asked = sorted(
            (r for r in self.requests.values() if not r.waits and r.ask_at <= now),
            key=lambda r: (r.ask_at, r.number),
        )
        for request in asked:
            self._ask_later(request)
        self._ask_about(asked)
        for request in asked:
            if request.session != self.session_id and request.questions > 1:
                yield from self._doubt(request)
        future = [since for since, _, _ in self.timetable if since > self.now()]
        if self.now() >= (max(self.ask_salts_at, future[-2]) if len(future) >= 2 else self.ask_salts_at):
            self._ask_for_salts()

    def _ask_for_salts(self) -> None:
        self.ask_salts_at = self.now() + 600
        self._ask(service.GetFutureSalts(num=16))

    def _ask_later(self, request: Request) -> None:
        request.questions += 1
        request.ask_at = self.clock() + min(60, 10 * 2**request.questions)

    # What the server says

    def receive(self, envelope: Envelope) -> Iterator[Said]:
        self.budget = [10 << 20]
        message = Numbered(envelope.msg_id, envelope.seq_no, envelope.body)
        if envelope.session_id in self.left:
            yield from self._late(message)
        elif envelope.session_id != self.session_id:
            raise Dead("C8")
        else:
            yield from self._message(message)

    def _late(self, message: Numbered) -> Iterator[Said]:
        name = name_of(message.body)
        if name == "msg_container":
            for part in split(message.body, message.msg_id):
                yield from self._late(part)
        elif name in ("rpc_result", "msgs_ack"):
            yield from (self.on_rpc_result if name == "rpc_result" else self.on_msgs_ack)(message)
        elif name in _CORRECTIONS:
            notice = read(message.body)
            if self._is_received(ids := self.parts.get(notice.bad_msg_id, [notice.bad_msg_id])):
                yield "dropped", message.msg_id, "C15"
            else:
                yield from self._not_taken(ids, notice)
        else:
            yield "dropped", message.msg_id, "C8"

    def _message(self, message: Numbered) -> Iterator[Said]:
        msg_id, name, session_id = message.msg_id, name_of(message.body), self.session_id
        if not msg_id & 1:
            raise Dead("C9")
        if msg_id in self.window:
            for part in split(message.body, msg_id) if name == "msg_container" else [message]:
                if part.msg_id in self.window:
                    self._owe(part)
            yield "dropped", msg_id, "C10"
        elif self.window.is_below(msg_id) or self._is_untimely(message):
            yield self._stray(msg_id)
        else:
            if name != "msg_container":
                self.strays = 0
            if not self.is_time_known and name not in _CORRECTIONS:
                self._correct_clock(msg_id)
            yield from self._handle(message)
            if self.session_id == session_id:
                self.window.add(msg_id)
                self._owe(message)

    def _is_untimely(self, message: Numbered) -> bool:
        """Whether it is ignored for its time: not what corrects us, and of a container each message by itself."""
        is_free = name_of(message.body) in (*_CORRECTIONS, "msg_container") or not self.is_time_known
        return not is_free and not (self.now() - 300) * SECOND <= message.msg_id <= (self.now() + 30) * SECOND

    def _stray(self, msg_id: int) -> Said:
        check = "C10" if self.window.is_below(msg_id) else "C11"
        self.strays += 1
        if self.strays % 10 == 0:
            if check == "C11" and msg_id > self.now() * SECOND:
                self._correct_clock(msg_id)
            raise Dead(check)
        return "dropped", msg_id, check

    def _owe(self, message: Numbered) -> None:
        if message.seq_no & 1:
            self.owed.setdefault(message.msg_id, self.clock())

    def _handle(self, message: Numbered) -> Iterator[Said]:
        name = name_of(message.body)
        handler = getattr(self, f"on_{name}", None)
        if handler is not None:
            yield from handler(message)
        elif name:
            yield "dropped", message.msg_id, "T8"
        else:
            yield "message", message.msg_id, message.body

    def on_msg_container(self, message: Numbered) -> Iterator[Said]:
        """What corrects us comes before what would be ignored without it."""
        session_id, parts = self.session_id, split(message.body, message.msg_id)
        if any(name_of(part.body) in _CORRECTIONS for part in parts):
            late = [self._is_late(part) for part in parts]
            parts = [p for p, is_late in zip(parts, late, strict=True) if not is_late] + [
                p for p, is_late in zip(parts, late, strict=True) if is_late
            ]
        for part in parts:
            yield from self._message(part) if self.session_id == session_id else self._late(part)

    def _is_late(self, part: Numbered) -> bool:
        is_judged = part.msg_id & 1 and part.msg_id not in self.window
        return bool(is_judged and not self.window.is_below(part.msg_id) and self._is_untimely(part))

    def on_gzip_packed(self, message: Numbered) -> Iterator[Said]:
        yield from self._handle(message._replace(body=gunzip(message.body, self.budget)))

    def on_msg_copy(self, message: Numbered) -> Iterator[Said]:
        raise Dead("C18")
        yield  # type: ignore[unreachable]  # as the others

    def on_rpc_result(self, message: Numbered) -> Iterator[Said]:
        if len(message.body) < 16:
            raise Dead("C16")
        req_msg_id, result = int.from_bytes(message.body[4:12], "little", signed=True), message.body[12:]
        request = self._sent_as(req_msg_id)
        if request is None:
            query = self.queries.get(req_msg_id)
            asks = "" if query is None else name_of(query.body)
            if asks == "destroy_auth_key" and name_of(result).startswith("destroy_auth_key_"):
                yield from self._key_destroyed(message._replace(body=result))
                return
            if asks != "rpc_drop_answer" or not name_of(result).startswith("rpc_answer_"):
                yield "dropped", message.msg_id, "C16"
            self.queries.pop(req_msg_id, None)
            return
        try:
            if name_of(result) == "gzip_packed":
                result = gunzip(result, self.budget)
            error = read(result) if name_of(result) == "rpc_error" else None
        except Dead as dead:
            self._close(request)
            yield "failed", request.number, dead.check
            return
        if error is None:
            self._close(request)
            yield "answer", request.number, result
        elif error.error_message == "MSG_WAIT_FAILED" and request is not self._last_sent_as(req_msg_id):
            return
        elif error.error_message == "MSG_WAIT_FAILED" and not self.void.isdisjoint(request.references):
            self._refused(request)
            yield from self._requeue(request, (error.error_code, error.error_message))
        else:
            self._close(request)
            yield "failed", request.number, (error.error_code, error.error_message)

    def on_bad_msg_notification(self, message: Numbered) -> Iterator[Said]:
        notice = read(message.body)
        ids, code = self.parts.get(notice.bad_msg_id, [notice.bad_msg_id]), notice.error_code
        if notice.bad_msg_id not in self.parts or self._is_received(ids):
            yield "dropped", message.msg_id, "C15"
            return
        if isinstance(notice, service.BadServerSalt):
            self._correct_salt(notice.new_server_salt)
        elif code in (16, 17):
            self._correct_clock(message.msg_id)
            if code == 17:
                self._begin_again()
        elif code in (32, 33):
            self._begin_again()
        yield from self._not_taken(ids, notice)

    def _correct_clock(self, msg_id: int) -> None:
        if not 0 <= msg_id < _LATEST:
            raise Dead("C15")
        self.offset, self.is_time_known = msg_id / SECOND - self.clock(), True

    def _is_received(self, ids: list[int]) -> bool:
        requests = [self._last_sent_as(i) for i in ids]
        return any(request is not None and request.is_received for request in requests)

    def _not_taken(self, ids: list[int], notice: Any) -> Iterator[Said]:
        code = notice.error_code
        is_mended = isinstance(notice, service.BadServerSalt) or code in (16, 17, 32, 33, 48)
        if is_mended:
            yield from self._again(ids, code)
        elif code == 19 and ids != [notice.bad_msg_id]:
            self._ask_of_copies(ids)
        else:
            yield from self._final(ids, code)

    on_bad_server_salt = on_bad_msg_notification

    def on_new_session_created(self, message: Numbered) -> Iterator[Said]:
        new = read(message.body)
        self._correct_salt(new.server_salt)
        yield "created", new.first_msg_id, new.unique_id
        for msg_id in [i for i in self.queries if i < new.first_msg_id]:
            yield from self._again([msg_id], 20)
        for request in list(self.requests.values()):
            is_here = not request.waits and request.session == self.session_id
            if is_here and request.msg_ids[-1] < new.first_msg_id:
                yield from self._doubt(request)

    def on_msgs_ack(self, message: Numbered) -> Iterator[Said]:
        for msg_id in a_few(read(message.body).msg_ids, "C19"):
            self._acknowledged(msg_id)
        yield from ()

    def on_msgs_state_req(self, message: Numbered) -> Iterator[Said]:
        self._tell_states(message, read(message.body).msg_ids)
        yield from ()

    def on_msg_resend_req(self, message: Numbered) -> Iterator[Said]:
        asked = read(message.body).msg_ids
        is_all = True
        for msg_id in a_few(asked, "C19"):
            is_kept = msg_id in self.kept and self.now() - msg_id / SECOND <= 240
            is_all = is_all and is_kept
            if is_kept and msg_id not in self.originals:
                self.originals.append(msg_id)
        if not is_all:
            self._tell_states(message, asked)
        yield from ()

    def _tell_states(self, message: Numbered, asked: list[int]) -> None:
        a_few(asked, "C19")
        latest = (self.now() + 30) * SECOND
        info = bytes(
            4
            if i in self.window
            else 1
            if i < 0 or (i & 1 and self.window.is_below(i))
            else 3
            if i & 1 and i > latest
            else 2
            for i in asked
        )
        self.plain.append(bytes(service.MsgsStateInfo(req_msg_id=message.msg_id, info=info)))

    def on_msgs_state_info(self, message: Numbered) -> Iterator[Said]:
        told = read(message.body)
        query = self.queries.get(told.req_msg_id)
        if query is None or not query.about or len(query.about) != len(told.info):
            yield "dropped", message.msg_id, "C16"
            return
        del self.queries[told.req_msg_id]
        name = name_of(query.body)
        if name != "msg_resend_req":
            yield from self._states(query.about, told.info, name == "msgs_state_req")

    def on_msgs_all_info(self, message: Numbered) -> Iterator[Said]:
        told = read(message.body)
        a_few(told.msg_ids, "C19")
        if len(told.msg_ids) != len(told.info):
            yield "dropped", message.msg_id, "C16"
        else:
            yield from self._states(told.msg_ids, told.info, True)

    def _states(self, ids: list[int], info: bytes, may_ask: bool) -> Iterator[Said]:
        answered = []
        for msg_id, state in zip(ids, info, strict=True):
            request = self._last_sent_as(msg_id)
            if request is None:
                continue
            if state & 7 in (2, 3):
                yield from self._repeat(request)
            elif state & 7 == 4:
                self._acknowledged(msg_id)
                answered += [msg_id] if state & 64 else []
            else:
                yield from self._doubt(request)
        if answered and may_ask:
            self._ask(service.MsgResendAnsReq(msg_ids=answered))

    def on_msg_detailed_info(self, message: Numbered) -> Iterator[Said]:
        info = read(message.body)
        if self._sent_as(info.msg_id) is None:
            self.owed.setdefault(info.answer_msg_id, self.clock())
            yield "dropped", message.msg_id, "C16"
        else:
            self._ask_for(info.answer_msg_id)

    def on_msg_new_detailed_info(self, message: Numbered) -> Iterator[Said]:
        self._ask_for(read(message.body).answer_msg_id)
        yield from ()

    def _ask_for(self, msg_id: int) -> None:
        if msg_id in self.window:
            self.owed.setdefault(msg_id, self.clock())
        else:
            self._ask(service.MsgResendReq(msg_ids=[msg_id]))

    def on_pong(self, message: Numbered) -> Iterator[Said]:
        told = read(message.body)
        query = self.queries.get(told.msg_id)
        is_ping = query is not None and name_of(query.body) in ("ping", "ping_delay_disconnect")
        if query is None or not is_ping or service.decode(query.body).ping_id != told.ping_id:  # type: ignore[attr-defined]
            yield "dropped", message.msg_id, "C16"
            return
        del self.queries[told.msg_id]
        yield "pong", told.ping_id

    def on_future_salts(self, message: Numbered) -> Iterator[Said]:
        told = read(message.body)
        query = self.queries.get(told.req_msg_id)
        if query is None or name_of(query.body) != "get_future_salts":
            yield "dropped", message.msg_id, "C16"
            return
        del self.queries[told.req_msg_id]
        salts = [(s.valid_since, s.valid_until, s.salt) for s in told.salts]
        self.timetable = sorted(salts, key=lambda salt: salt[0])[:64]

    def on_destroy_session_ok(self, message: Numbered) -> Iterator[Said]:
        told = read(message.body)
        if self._answered(bytes(service.DestroySession(session_id=told.session_id))):
            yield "destroyed", told.session_id, isinstance(told, service.DestroySessionOk)
        else:
            yield "dropped", message.msg_id, "C16"

    on_destroy_session_none = on_destroy_session_ok

    def _key_destroyed(self, message: Numbered) -> Iterator[Said]:
        if self._answered(bytes(service.DestroyAuthKey())):
            yield "key destroyed", name_of(message.body)[17:]
        else:
            yield "dropped", message.msg_id, "C16"

    on_destroy_auth_key_ok = on_destroy_auth_key_none = on_destroy_auth_key_fail = _key_destroyed

    def _answered(self, body: bytes) -> bool:
        before = len(self.queries)
        self.queries = {msg_id: query for msg_id, query in self.queries.items() if query.body != body}
        return len(self.queries) < before

    # What becomes of requests

    def _sent_as(self, msg_id: int) -> Request | None:
        return next((r for r in self.requests.values() if msg_id in r.msg_ids), None)

    def _last_sent_as(self, msg_id: int) -> Request | None:
        request = self._sent_as(msg_id)
        return request if request and not request.waits and request.msg_ids[-1] == msg_id else None

    def _close(self, request: Request) -> None:
        del self.requests[request.number]
        for msg_id in request.msg_ids:
            self.kept.pop(msg_id, None)

    def _refused(self, request: Request) -> None:
        self.void.add(request.msg_ids.pop())
        request.waits = True

    def _requeue(self, request: Request, error: object) -> Iterator[Said]:
        request.resends += 1
        if request.resends > 5:
            self._close(request)
            yield "failed", request.number, error

    def _again(self, ids: list[int], error: object) -> Iterator[Said]:
        for msg_id in ids:
            self.kept.pop(msg_id, None)
            query = self.queries.pop(msg_id, None)
            if query is not None and query.resends < 5:
                self.to_ask.append(Query(query.body, query.resends + 1))
            request = self._last_sent_as(msg_id)
            if request is not None and request.is_repeated:
                request.ask_at = self.clock()
            elif request is not None:
                self._refused(request)
                yield from self._requeue(request, error)

    def _repeat(self, request: Request) -> Iterator[Said]:
        """It goes out as it was: the server may have a copy yet, and takes only one of the two."""
        msg_id = request.msg_ids[-1]
        age = self.now() - msg_id / SECOND
        if age > 330:
            request.is_repeated = False
            yield from self._again([msg_id], "unknown")
        elif request.session == self.session_id and age <= 240:
            request.is_repeated = True
            yield from self._requeue(request, "unknown")
            if request.number in self.requests and msg_id not in self.originals:
                self.originals.append(msg_id)

    def _final(self, ids: list[int], code: int) -> Iterator[Said]:
        for msg_id in ids:
            self.queries.pop(msg_id, None)
            request = self._last_sent_as(msg_id)
            if request is not None and code == 20:
                yield from self._doubt(request)
            elif request is not None:
                self._close(request)
                yield "failed", request.number, code

    def _ask_of_copies(self, ids: list[int]) -> None:
        """A copy of a container was refused."""
        for request in filter(None, map(self._last_sent_as, ids)):
            request.ask_at = self.clock()

    def _doubt(self, request: Request) -> Iterator[Said]:
        if request.at_least_once:
            request.waits = True
            yield from self._requeue(request, "unknown")
        else:
            self._close(request)
            yield "failed", request.number, "unknown"

    def _acknowledged(self, msg_id: int) -> None:
        self.kept.pop(msg_id, None)
        request = self._last_sent_as(msg_id)
        if request is not None and not request.is_received:
            request.is_received = True
            self._ask_later(request)

    def _correct_salt(self, salt: int) -> None:
        self.salt = salt
        is_known = any(value == salt for _, _, value in self.timetable)
        self.timetable = [s for s in self.timetable if is_known and s[0] > self.now()]

    def _begin_again(self) -> None:
        self.left.append(self.session_id)
        if not self.drawn:
            raise Broken("there is no new session, expected one")
        self.session_id = self.drawn.popleft()
        self.last_id, self.content = 0, 0
        self.window = Window()
        self.owed.clear()
        self.kept.clear()
        self.originals.clear()
        self.queries = {i: query for i, query in self.queries.items() if not query.is_question}
        self.to_ask = [query for query in self.to_ask if not query.is_question]
