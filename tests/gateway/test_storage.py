"""When a store that hangs or fails becomes a trouble, and when the trouble is over."""

from gateway.storage import COMMIT_MS_MAX, WELL_MS, StorageWatch


def test_a_quick_commit_is_no_trouble():
    watch = StorageWatch()
    assert watch.deadline() is None
    assert watch.look(1000, 1000 + COMMIT_MS_MAX - 1) is None
    assert watch.look(None, 2000) is None
    assert watch.deadline() is None


def test_a_trouble_that_an_earlier_process_left_standing_ends_when_the_store_is_seen_to_work():
    watch = StorageWatch()
    assert watch.look(None, 1000) is None
    watch.stored(True, 1001)
    assert watch.look(None, 1001) is False
    assert watch.look(None, 1002) is None


def test_a_commit_that_hangs_begins_the_trouble_at_its_limit():
    watch = StorageWatch()
    assert watch.look(1000, 1010) is None
    assert watch.deadline() == 1000 + COMMIT_MS_MAX
    assert watch.look(1000, 1000 + COMMIT_MS_MAX) is True
    assert watch.deadline() is None  # the commit's end will be told
    assert watch.look(1000, 1000 + COMMIT_MS_MAX + 5) is None  # said once


def test_the_trouble_ends_only_after_a_minute_without_a_fault():
    watch = StorageWatch()
    watch.look(0, COMMIT_MS_MAX)
    assert watch.look(None, COMMIT_MS_MAX + 100) is None
    assert watch.deadline() == COMMIT_MS_MAX + WELL_MS
    assert watch.look(1_000, 1_100) is None
    assert watch.deadline() == 1_000 + COMMIT_MS_MAX  # the next commit may hang too
    assert watch.look(None, COMMIT_MS_MAX + WELL_MS - 1) is None
    assert watch.look(None, COMMIT_MS_MAX + WELL_MS) is False
    assert watch.deadline() is None


def test_a_store_that_says_it_fails_is_a_trouble_until_it_works_again():
    watch = StorageWatch()
    watch.stored(False, 1000)
    assert watch.look(None, 1001) is True
    assert watch.look(None, 1001 + 2 * WELL_MS) is None
    assert watch.deadline() is None
    watch.stored(True, 200_000)
    assert watch.look(None, 200_000) is None
    assert watch.look(None, 200_000 + 2 * WELL_MS) is False
