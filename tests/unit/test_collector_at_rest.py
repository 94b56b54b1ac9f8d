"""The collector of cycles rests while rows are made, and works again afterwards."""

import gc
import threading

import pytest

from zz_pipeline.at_rest import collector_at_rest


def test_it_rests_inside_and_works_again_after_a_failure():
    def work():
        with collector_at_rest():
            seen.append(gc.isenabled())
            raise LookupError

    seen: list[bool] = []
    with pytest.raises(LookupError):
        work()
    assert (seen, gc.isenabled()) == ([False], True)


def test_it_works_again_only_when_the_last_of_several_threads_is_done():
    inside, go = threading.Event(), threading.Event()

    def work():
        with collector_at_rest():
            inside.set()
            go.wait(5)

    thread = threading.Thread(target=work)
    thread.start()
    inside.wait(5)
    with collector_at_rest():
        pass
    assert not gc.isenabled()
    go.set()
    thread.join(5)
    assert gc.isenabled()


def test_who_has_switched_it_off_finds_it_off():
    gc.disable()
    try:
        with collector_at_rest():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
