"""Shares: what workers know of each other's connections."""

import os

from kgl_http.server.shares import Share, Shares


def taken(shares: Shares) -> Share:
    """A share of these."""
    share = shares.take()
    assert share is not None
    return share


def test_the_larger_share_is_known() -> None:
    """A worker alone, one that has more, and two that have as many."""
    shares = Shares(2)
    one = taken(shares)
    one.note(3)
    assert not one.is_larger()
    other = taken(shares)
    assert one.is_larger()
    assert not other.is_larger()
    other.note(3)
    assert not one.is_larger()
    assert not other.is_larger()
    other.note(2)
    assert one.is_larger()


def test_nothing_is_left_to_workers_that_stop_or_have_gone() -> None:
    """They have fewer connections, and accept none."""
    shares = Shares(2)
    one, stopping, gone = taken(shares), taken(shares), taken(shares)
    one.note(1)
    stopping.stop()
    assert one.is_larger()
    gone.give_back()
    assert not one.is_larger()


def test_places_are_taken_again() -> None:
    """As many as there may be at once, whoever has gone before."""
    shares = Shares(1)
    held = [taken(shares) for _ in range(4)]
    assert shares.take() is None
    held[2].give_back()
    held[0].note(1)
    assert taken(shares)
    assert shares.take() is None
    assert held[0].is_larger()


def test_a_worker_sees_what_another_process_has() -> None:
    """They are forked after their shares were taken."""
    shares = Shares(2)
    one, other = taken(shares), taken(shares)
    one.note(1)
    assert one.is_larger()
    pid = os.fork()
    if pid == 0:
        other.note(5)
        os._exit(0)
    os.waitpid(pid, 0)
    assert not one.is_larger()
    assert other.is_larger()
