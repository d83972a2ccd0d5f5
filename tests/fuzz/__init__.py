"""Fuzz targets: each module states one invariant of `tl` or `mtproto`, which a campaign attacks and tests replay.

    mtproto fuzz decode_any --minutes 10     a campaign (needs the extra `fuzz`: atheris)
    mtproto fuzz decode_any FILE...          the same inputs once more, without atheris

A target is a function of bytes that returns where the invariant holds and raises where it does not.  What has
once found something, and what a campaign reached with least, is in ``corpus/TARGET/``.
"""
