"""What can be wrong with a transcript, or with a conversation that should go as one does."""

from __future__ import annotations

from mtproto.errors import MTProtoError

__all__ = ["KeyLogError", "ReplayMismatch", "TranscriptError"]


class TranscriptError(MTProtoError):
    """A file that is no transcript, or damaged; the text names the line."""


class KeyLogError(TranscriptError):
    """A file that is no key log; the text names the line."""


class ReplayMismatch(TranscriptError):
    """A live conversation does not go as the recorded one did."""
