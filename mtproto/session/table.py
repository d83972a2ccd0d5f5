"""Every combinator of the service schema, and what becomes of it on either side once it comes encrypted.

One row for each: the function that handles it, by name, or in words why nothing does.  `client_handlers` and
`server_handlers` have the functions; a test walks the table, and docs/session.md is held to it.

Specification: core.telegram.org/mtproto/service_messages, service_messages_about_messages; schema/mtproto.tl.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from mtproto import service

__all__ = ["TABLE", "Handled", "Ignored", "Refused", "Row", "handlers"]

F = TypeVar("F", bound=Callable[..., object])


@dataclass(frozen=True, slots=True)
class Handled:
    """The function with this name sees to it."""

    by: str


@dataclass(frozen=True, slots=True)
class Ignored:
    """It is taken, acknowledged where that is due, and nothing else."""

    why: str


@dataclass(frozen=True, slots=True)
class Refused:
    """It has no business there: the message is dropped, and said to be."""

    why: str


Fate = Handled | Ignored | Refused


@dataclass(frozen=True, slots=True)
class Row:
    """A combinator, by its TL name, and what a client and a server do with it."""

    name: str
    client: Fate
    server: Fate


_EXCHANGE = Refused("of the key exchange, which is not encrypted")
_INNER = Refused("only ever within another message of the key exchange")
_BARE = Refused("only ever within another service message")
_REQUEST = Refused("a request, which only clients make")
_ANSWER = Refused("an answer, which only servers give")
_NOTICE = Refused("a notice of servers")


def _both(name: str, fate: Fate) -> Row:
    return Row(name, fate, fate)


TABLE: tuple[Row, ...] = (
    # The key exchange
    *(
        _both(name, _EXCHANGE)
        for name in (
            *(
                "resPQ",
                "server_DH_params_fail",
                "server_DH_params_ok",
                "dh_gen_ok",
                "dh_gen_retry",
                "dh_gen_fail",
            ),
            *("req_pq", "req_pq_multi", "req_DH_params", "set_client_DH_params"),
        )
    ),
    *(
        _both(name, _INNER)
        for name in (
            *("p_q_inner_data", "p_q_inner_data_dc", "p_q_inner_data_temp", "p_q_inner_data_temp_dc"),
            *("server_DH_inner_data", "client_DH_inner_data", "bind_auth_key_inner"),
        )
    ),
    # What carries others
    Row("rpc_result", Handled("rpc_result"), _ANSWER),
    _both("rpc_error", Refused("only ever within rpc_result")),
    _both("gzip_packed", Handled("gzip_packed")),
    _both("msg_container", Handled("msg_container")),
    _both("message", _BARE),
    Row("msg_copy", Handled("msg_copy"), Refused("in no use: containers do the same")),
    # Messages about messages
    _both("msgs_ack", Handled("msgs_ack")),
    Row("bad_msg_notification", Handled("bad_msg_notification"), _NOTICE),
    Row("bad_server_salt", Handled("bad_msg_notification"), _NOTICE),
    _both("msgs_state_req", Handled("msgs_state_req")),
    Row("msgs_state_info", Handled("msgs_state_info"), Ignored("this server asks for no states")),
    Row(
        "msgs_all_info",
        Handled("msgs_all_info"),
        Ignored("what the client has is told by its acknowledgements"),
    ),
    Row("msg_detailed_info", Handled("msg_detailed_info"), Ignored("a client has no answers to give")),
    Row(
        "msg_new_detailed_info",
        Handled("msg_new_detailed_info"),
        Ignored("requests come by themselves, nobody has to ask for them"),
    ),
    _both("msg_resend_req", Handled("msg_resend_req")),
    Row(
        "msg_resend_ans_req",
        Refused("asks for answers, which clients don't give"),
        Handled("msg_resend_ans_req"),
    ),
    Row("new_session_created", Handled("new_session_created"), _NOTICE),
    # Service queries, and their answers
    Row("ping", _REQUEST, Handled("ping")),
    Row("ping_delay_disconnect", _REQUEST, Handled("ping")),
    Row("pong", Handled("pong"), _ANSWER),
    Row("get_future_salts", _REQUEST, Handled("get_future_salts")),
    Row("future_salts", Handled("future_salts"), _ANSWER),
    _both("future_salt", _BARE),
    Row("rpc_drop_answer", _REQUEST, Handled("rpc_drop_answer")),
    *(
        Row(name, Refused("only ever within rpc_result"), _ANSWER)
        for name in ("rpc_answer_unknown", "rpc_answer_dropped_running", "rpc_answer_dropped")
    ),
    Row("destroy_session", _REQUEST, Handled("destroy_session")),
    Row("destroy_session_ok", Handled("destroy_session"), _ANSWER),
    Row("destroy_session_none", Handled("destroy_session"), _ANSWER),
    Row("destroy_auth_key", _REQUEST, Handled("destroy_auth_key")),
    *(
        Row(name, Handled("destroy_auth_key"), _ANSWER)
        for name in ("destroy_auth_key_ok", "destroy_auth_key_none", "destroy_auth_key_fail")
    ),
    Row("http_wait", _REQUEST, Handled("http_wait")),
)


def handlers(side: str, functions: Iterable[F], *, ignored: F, refused: F) -> dict[int, F]:
    """Constructor id → function, for the "client" or the "server": as the table has it, or `ignored`, or `refused`.

    Raise KeyError where a function is missing.
    """
    by_name = {function.__name__: function for function in functions}
    found = {}
    for row in TABLE:
        fate: Fate = getattr(row, side)
        if isinstance(fate, Handled):
            function = by_name[fate.by]
        else:
            function = ignored if isinstance(fate, Ignored) else refused
        found[service.SCHEMA.declared[row.name][0]] = function
    return found
