"""What the documents say of numbers, salts and acknowledgements, once more: a second opinion on a conversation.

It reads what was said and what came of it (`Ledger.history`) message by message, and knows nothing of sessions
but that.  Each rule stands by itself, with a table or a counter of its own, and none of the code that it judges;
those about salts are in `salt_model`, those about requests in `call_model`.

Specification: core.telegram.org/mtproto/description, core.telegram.org/mtproto/service_messages,
core.telegram.org/mtproto/service_messages_about_messages.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import tl
from mtproto import service
from mtproto.events import SessionId
from mtproto.side import Side
from mtproto.testing.call_model import CallModel
from mtproto.testing.ledger import Arrived, Doubted, Event, Ignored, Said
from mtproto.testing.salt_model import ClientSalts, ServerSalts

__all__ = ["Model", "Voice"]

_NO_ACK = {
    *("msgs_ack", "msg_container", "msg_copy", "bad_msg_notification", "bad_server_salt"),
    *("msgs_state_req", "msgs_state_info", "msgs_all_info", "msg_detailed_info", "msg_new_detailed_info"),
    *(
        "msg_resend_req",
        "msg_resend_ans_req",
        "ping",
        "ping_delay_disconnect",
        "pong",
        "future_salts",
        "http_wait",
    ),
}
_ANSWERS = {
    *("rpc_result", "pong", "future_salts", "msgs_state_info", "bad_msg_notification", "bad_server_salt"),
    *("msg_detailed_info", "destroy_session_ok", "destroy_session_none"),
    *("destroy_auth_key_ok", "destroy_auth_key_none", "destroy_auth_key_fail"),
}
_READ = {
    *("msgs_ack", "bad_server_salt", "bad_msg_notification", "new_session_created", "future_salts"),
    *("msgs_state_info", "rpc_drop_answer"),
}
_TICK = 2.0**-32
_MAX_AHEAD = 30.0


@dataclass(slots=True)
class Voice:
    """One side in one session: what it has said so far."""

    odd: int = 0
    last: int = 0
    bodies: dict[int, tuple[int, bytes]] = field(default_factory=dict)
    container: int | None = None


def _content(said: Said) -> tl.TLObject | None:
    return service.decode(said.body) if said.name in _READ else None


class Model:
    """`complaints` are the rules that were broken.

    `salt` is the one that both sides know when all begins, at `time`; `calls` and `server_salts` have to be told
    what nobody says: which calls are made and cancelled, when the server changes its salt.
    """

    def __init__(self, salt: int, time: float) -> None:
        self.complaints: list[str] = []
        self.calls = CallModel()
        self.server_salts = ServerSalts(salt, time)
        self._client_salts = ClientSalts(salt)
        self._voices: dict[tuple[object, ...], Voice] = {}
        self._taken: dict[int, tuple[object, ...]] = {}
        self._odd: dict[Side, set[int]] = {side: set() for side in Side}
        self._answers: dict[tuple[SessionId, int | None, int], bytes] = {}
        self._dropped: set[int] = set()

    def read(self, events: Iterable[Event]) -> None:
        """Judge what has happened, in this order."""
        for event in events:
            match event:
                case Said():
                    self._judge(event)
                case Arrived():
                    self._arrives(event.said, event.time)
                case Ignored(Side.CLIENT, msg_id):
                    self._client_salts.ignored(msg_id)
                    self.calls.ignored(msg_id)
                case Doubted():
                    self._may_arrive(event.said)

    def _complain(self, said: Said, what: str) -> None:
        self.complaints.append(f"{said.side.name}, {said.name} {said.msg_id}, seq_no {said.seq_no}: {what}")

    def _judge(self, said: Said) -> None:
        place = (said.side, said.session, said.life)
        voice = self._voices.setdefault(place, Voice())
        self._in_container(said, voice)
        known = voice.bodies.get(said.msg_id)
        if known is None:
            self._is_new(said, voice)
        elif known != (said.seq_no, said.body):
            self._complain(said, "was another message before")
        elif said.container is None:
            self._complain(said, "was repeated outside of a container")
        for msg_id in {said.msg_id, said.container or said.msg_id} if said.side is Side.CLIENT else ():
            if self._taken.setdefault(msg_id, place) != place:
                self._complain(said, f"{msg_id} was used in another session")
        content = _content(said)
        self._about_salts(said, content)
        self._about_acks(said, content)
        if said.side is Side.CLIENT:
            for complaint in self.calls.said(said):
                self._complain(said, complaint)
        if said.name == "rpc_result":
            self._answer(said)

    def _arrives(self, said: Said, time: float) -> None:
        if said.side is Side.CLIENT:
            self.server_salts.arrived(said, time)
            return
        content = _content(said)
        match content:
            case service.BadServerSalt():
                self._client_salts.corrected(said, content.new_server_salt, is_new_session=False)
            case service.NewSessionCreated():
                self._client_salts.corrected(said, content.server_salt, is_new_session=True)
            case service.FutureSalts():
                self._client_salts.listed(said.msg_id, content)
        self.calls.hears(said, content)

    def _may_arrive(self, said: Said) -> None:
        if said.side is Side.CLIENT:
            self.server_salts.doubted(said)
            return
        self._arrives(said, said.time)
        self._client_salts.ignored(said.msg_id)
        self.calls.doubted(said)

    def _is_new(self, said: Said, voice: Voice) -> None:
        """Numbers: they grow, their last bits say who speaks, seq_no counts what needs an acknowledgement."""
        if said.msg_id <= voice.last:
            self._complain(said, f"msg_id is not above {voice.last}")
        voice.last = max(voice.last, said.msg_id)
        voice.bodies[said.msg_id] = said.seq_no, said.body
        residue = 0 if said.side is Side.CLIENT else 1 if said.name in _ANSWERS else 3
        if said.msg_id % 4 != residue:
            self._complain(said, f"msg_id is {said.msg_id % 4} modulo 4, expected {residue}")
        if said.msg_id % 2**32 == 0:
            self._complain(said, "msg_id has no fraction of a second")
        if said.side is Side.SERVER and not -1 < said.msg_id * _TICK - said.time < _MAX_AHEAD:
            self._complain(said, f"msg_id is {said.msg_id * _TICK - said.time:+.3f} s away from the time")
        needs_ack = said.name not in _NO_ACK
        if said.seq_no != 2 * voice.odd + needs_ack:
            self._complain(said, f"expected seq_no {2 * voice.odd + needs_ack}")
        voice.odd += needs_ack
        if needs_ack:
            self._odd[said.side].add(said.msg_id)

    def _in_container(self, said: Said, voice: Voice) -> None:
        """A container is younger than what is in it, and than all that went before."""
        if said.container != voice.container:
            voice.last = max(voice.last, voice.container or 0)
            voice.container = said.container
            if said.container is not None and said.container <= voice.last:
                self._complain(said, f"its container {said.container} is not above {voice.last}")
        if said.container is not None and said.msg_id >= said.container:
            self._complain(said, f"is not older than its container, {said.container}")

    def _about_salts(self, said: Said, content: tl.TLObject | None) -> None:
        """A server tells, takes and refuses salts by its timetable, a client uses those that it was told."""
        complaints: Iterable[str] = ()
        match content:
            case service.BadServerSalt():
                complaints = self.server_salts.refused(content)
            case service.NewSessionCreated():
                complaints = self.server_salts.created(content)
            case service.FutureSalts():
                complaints = self.server_salts.listed(content)
            case service.MsgsAck() if said.side is Side.SERVER:
                complaints = (c for i in content.msg_ids for c in self.server_salts.taken(i))
            case service.MsgsAck():
                for msg_id in content.msg_ids:
                    self._client_salts.acknowledged(said.session, msg_id)
        for complaint in complaints:
            self._complain(said, complaint)
        for complaint in self._client_salts.used(said) if said.side is Side.CLIENT else ():
            self._complain(said, complaint)

    def _about_acks(self, said: Said, content: tl.TLObject | None) -> None:
        """What is acknowledged was said by the other side, and has to be."""
        if isinstance(content, service.MsgsAck):
            strange = set(content.msg_ids) - self._odd[said.side.peer]
            if strange:
                self._complain(
                    said, f"acknowledges what was never said, or needs no acknowledgement: {strange}"
                )
            if len(set(content.msg_ids)) < len(content.msg_ids):
                self._complain(said, "acknowledges twice in one message")
        if isinstance(content, service.RpcDropAnswer):
            self._dropped.add(content.req_msg_id)

    def _answer(self, said: Said) -> None:
        """A request has one answer, however often it is given."""
        request = int.from_bytes(said.body[4:12], "little", signed=True)
        if request not in self._odd[Side.CLIENT]:
            self._complain(said, f"answers {request}, which was never asked")
        for complaint in self.server_salts.taken(request):
            self._complain(said, complaint)
        before = self._answers.setdefault((said.session, said.life, request), said.body)
        if before != said.body and request not in self._dropped:
            self._complain(said, f"another answer to {request} than before")
