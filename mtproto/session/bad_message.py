"""The codes of bad_msg_notification: what was wrong with a message that the server has ignored.

Source: core.telegram.org/mtproto/service_messages_about_messages#notice-of-ignored-error-message
"""

from __future__ import annotations

from enum import IntEnum

from mtproto.errors import MTProtoError

__all__ = ["BadCode", "BadMessage"]


class BadCode(IntEnum):
    """Why a message was ignored; the high four bits say what kind of mistake it was."""

    MSG_ID_TOO_LOW = 16
    MSG_ID_TOO_HIGH = 17
    MSG_ID_PARITY = 18
    CONTAINER_REPEATED = 19
    TOO_OLD = 20
    SEQ_NO_TOO_LOW = 32
    SEQ_NO_TOO_HIGH = 33
    SEQ_NO_NOT_EVEN = 34
    SEQ_NO_NOT_ODD = 35
    WRONG_SALT = 48
    BAD_CONTAINER = 64


_MEANINGS: dict[int, str] = {
    BadCode.MSG_ID_TOO_LOW: "msg_id too low: our clock is behind",
    BadCode.MSG_ID_TOO_HIGH: "msg_id too high: our clock is ahead",
    BadCode.MSG_ID_PARITY: "msg_id is not divisible by 4",
    BadCode.CONTAINER_REPEATED: "a container's msg_id was used before",
    BadCode.TOO_OLD: "message too old: it is not known whether it was received",
    BadCode.SEQ_NO_TOO_LOW: "seq_no too low",
    BadCode.SEQ_NO_TOO_HIGH: "seq_no too high",
    BadCode.SEQ_NO_NOT_EVEN: "seq_no should be even",
    BadCode.SEQ_NO_NOT_ODD: "seq_no should be odd",
    BadCode.WRONG_SALT: "wrong server_salt",
    BadCode.BAD_CONTAINER: "invalid container",
}


class BadMessage(MTProtoError):
    """The server did not take a message, and sending it again would not help, or has not.

    `code` is that of bad_msg_notification (`BadCode` has those with a published meaning).
    """

    def __init__(self, code: int) -> None:
        self.code = code
        super().__init__(f"the server did not take the message: {code}, {_MEANINGS.get(code, 'unknown')}")
