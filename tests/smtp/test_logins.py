"""Who tries passwords waits longer each time; in bounded memory."""

from smtp.logins import BAN_AT, BAN_SECONDS, FORGIVEN_AFTER, KEPT, LONGEST_DELAY, Failures


def test_each_failure_waits_twice_as_long_up_to_a_bound() -> None:
    failures = Failures()
    assert [failures.failed("a", f"user{n}", 0.0) for n in range(6)] == [0.5, 1.0, 2.0, 4.0, 8.0, LONGEST_DELAY]
    assert failures.failed("b", "another", 0.0) == 0.5


def test_an_address_is_banned_for_a_while() -> None:
    failures = Failures()
    for _ in range(BAN_AT - 1):
        failures.failed("a", "u", 5.0)
    assert not failures.is_banned("a", "u", 5.0)
    failures.failed("a", "u", 5.0)
    assert failures.is_banned("a", "u", 5.0 + BAN_SECONDS - 1)
    assert not failures.is_banned("a", "u", 5.0 + BAN_SECONDS)
    assert not failures.is_banned("b", "u", 5.0)
    failures.failed("a", "u", 5.0 + FORGIVEN_AFTER)
    assert not failures.is_banned("a", "u", 5.0 + FORGIVEN_AFTER)


def test_a_user_whom_strangers_try_waits_but_is_never_shut_out() -> None:
    failures = Failures()
    for n in range(100):
        failures.failed(f"a{n}", "victim", 0.0)
    assert failures.failed("own", "victim", 0.0) == LONGEST_DELAY
    assert not failures.is_banned("own", "victim", 0.0)


def test_the_right_key_is_forgiven() -> None:
    failures = Failures()
    for _ in range(BAN_AT - 1):
        failures.failed("a", "u", 0.0)
    failures.succeeded("a", "w")
    failures.failed("a", "v", 0.0)
    assert not failures.is_banned("a", "u", 0.0)


def test_who_has_signed_in_from_an_address_is_heard_there_whatever_neighbours_do() -> None:
    failures = Failures()
    failures.succeeded("a", "own")
    for _ in range(BAN_AT):
        failures.failed("a", "other", 0.0)
    assert [failures.is_banned("a", user, 0.0) for user in ("own", "other", "third")] == [False, True, True]
    for _ in range(BAN_AT):
        failures.failed("b", "own", 0.0)
    assert failures.is_banned("b", "own", 0.0)


def test_memory_is_bounded() -> None:
    failures = Failures()
    for n in range(KEPT + 50):
        failures.failed(f"a{n}", "x" * 10_000 + str(n), 0.0)
        failures.succeeded(f"b{n}", "x" * 10_000)
    assert len(failures._records) == len(failures._known) == KEPT
    assert max(map(len, [*failures._records, *failures._known])) < 100
