from __future__ import annotations

import logging

from zerosight.logs import unheard


def test_blocks_that_end_in_any_order_leave_all_as_it_was(caplog):
    caplog.set_level(logging.WARNING)
    before = logging.root.manager.disable
    first, second = unheard(logging.WARNING), unheard(logging.ERROR)
    first.__enter__()
    second.__enter__()
    logging.error("of others")
    first.__exit__(None, None, None)
    logging.error("of others")
    assert logging.root.manager.disable == logging.ERROR
    second.__exit__(None, None, None)
    logging.warning("ours")
    assert logging.root.manager.disable == before
    assert caplog.messages == ["ours"]


def test_what_the_user_silenced_stays_silent():
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with unheard(logging.WARNING):
            assert logging.root.manager.disable == logging.CRITICAL
        assert logging.root.manager.disable == logging.CRITICAL
    finally:
        logging.disable(before)
