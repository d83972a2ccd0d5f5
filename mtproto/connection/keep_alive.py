"""Finding out that a link is dead although nobody has closed it: pings, and the patience to wait for what comes.

The ping also tells the server to close the connection if the next one does not come (ping_delay_disconnect), so
that neither end keeps a connection whose other end is gone.

Specification: core.telegram.org/mtproto/service_messages#deferred-connection-closure-ping; check C23.
"""

from __future__ import annotations

from dataclasses import dataclass

from mtproto.clock import is_seconds
from mtproto.errors import LocalProtocolError, PeerSilent

__all__ = ["Heartbeat", "KeepAlive"]


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """A ping every `interval` seconds; the server is to close the connection `disconnect_delay` seconds after it.

    The link is dead when nothing at all has come `patience` seconds after a ping.
    """

    interval: float = 60.0
    disconnect_delay: int = 75
    patience: float = 15.0

    def __post_init__(self) -> None:
        seconds = (self.interval, self.patience, self.disconnect_delay)
        are_above_zero = all(is_seconds(value) and value > 0 for value in seconds)
        if not (are_above_zero and self.interval < self.disconnect_delay < 2**31):
            raise LocalProtocolError(
                f"got {self}, expected seconds above 0, and a disconnect_delay above interval and below 2**31"
            )
        if type(self.disconnect_delay) is not int:
            raise LocalProtocolError(f"disconnect_delay: got {self.disconnect_delay!r}, expected an int")


class Heartbeat:
    """When the next ping is due, and until when something has to come; times are of one clock."""

    def __init__(self, settings: KeepAlive, now: float) -> None:
        self._settings = settings
        self._next_ping = now + settings.interval
        self._deadline: float | None = None

    def heard(self) -> None:
        """Something has come: the link lives."""
        self._deadline = None

    def next_timer(self) -> float:
        """When to look again."""
        return self._next_ping if self._deadline is None else min(self._next_ping, self._deadline)

    def is_ping_due(self, now: float) -> bool:
        """Whether to send a ping now; raise PeerSilent where nothing has come since the last one."""
        if self._deadline is not None and now >= self._deadline:
            raise PeerSilent(
                "nothing came after a ping", check="C23", expected=f"within {self._settings.patience} s"
            )
        if now < self._next_ping:
            return False
        self._next_ping = now + self._settings.interval
        if self._deadline is None:
            self._deadline = now + self._settings.patience
        return True
