"""What is dear to make is made once, and only so much of it is kept."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from matteralign.metrics.embedding.kept import Kept


def test_many_threads_that_ask_at_once_make_a_thing_once():
    kept, made, all_there = Kept(4), [], threading.Barrier(4)

    def make():
        made.append(threading.get_ident())
        return object()

    def ask(_):
        all_there.wait()
        return kept.get("x", make)

    with ThreadPoolExecutor(4) as pool:
        got = list(pool.map(ask, range(4)))
    assert len(made) == 1
    assert all(one is got[0] for one in got)


def test_the_one_asked_for_longest_ago_goes_first():
    kept, made = Kept(2), []

    def get(key):
        return kept.get(key, lambda: made.append(key))

    for key in "abacab":
        get(key)
    assert made == ["a", "b", "c", "b"]


def test_what_could_not_be_made_is_tried_again():
    kept = Kept(2)

    def fail():
        raise OSError("disk gone")

    for _ in range(2):
        with pytest.raises(OSError, match="disk gone"):
            kept.get("x", fail)
    assert kept.get("x", lambda: 5) == 5
