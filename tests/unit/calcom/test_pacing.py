"""The pacer against a throttler that counts as the real one does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from deploy.calcom.errors import TooManyRequests
from deploy.calcom.http import RetryPolicy, send
from deploy.calcom.pacing import Limit, Pacer, read_limits

from .throttler import FastClock, Row, StandingClock, Throttler


def calls(
    throttler: Throttler, pacer: Pacer, sleep: Callable[[float], None], how_many: int, attempts: int = 4
) -> None:
    policy = RetryPolicy(attempts=attempts, sleep=sleep)
    with throttler.client() as http:
        for _ in range(how_many):
            assert send(http, "GET", "/", idempotent=True, policy=policy, pacer=pacer).status_code == 200


class TestReadLimits:
    def test_all_names(self) -> None:
        headers = httpx.Headers(
            {
                "X-RateLimit-Limit-Default": "5",
                "X-RateLimit-Remaining-Default": "4",
                "X-RateLimit-Reset-Default": "10",
                "X-RateLimit-Limit-Per-Hour": "500",
                "X-RateLimit-Remaining-Per-Hour": "1",
                "X-RateLimit-Reset-Per-Hour": "3000",
            }
        )
        assert read_limits(headers) == {"default": Limit(5, 4, 10), "per-hour": Limit(500, 1, 3000)}

    @pytest.mark.parametrize("reset", ["soon", "", "nan", "-1"])
    def test_what_is_no_limit_is_left_out(self, reset: str) -> None:
        headers = {
            "x-ratelimit-limit-x": "5",
            "x-ratelimit-remaining-x": "4",
            "x-ratelimit-reset-x": reset,
        }
        assert read_limits(headers) == {}
        assert read_limits({"x-ratelimit-limit-y": "5", "content-type": "text/html"}) == {}


class TestAlone:
    def test_slows_down_before_the_refusal(self) -> None:
        clock = StandingClock()
        throttler = Throttler([Row("Default", 5, 10, 15)], clock)
        calls(throttler, Pacer(clock=clock, sleep=clock.sleep), clock.sleep, 50)
        assert throttler.refused == 0

    def test_uses_nearly_all_that_is_allowed(self) -> None:
        clock = StandingClock()
        throttler = Throttler([Row("Default", 100, 60, 60)], clock)
        began = clock()
        calls(throttler, Pacer(clock=clock, sleep=clock.sleep), clock.sleep, 1000)
        assert 1000 / (clock() - began) >= 0.9 * 100 / 60
        assert throttler.refused == 0

    def test_as_long_as_one_limit_has_something_left_it_goes_on(self) -> None:
        """A call is refused only where all of a key's limits are used up."""
        clock = StandingClock()
        throttler = Throttler([Row("Small", 2, 10, 10), Row("Large", 40, 60, 60)], clock)
        began = clock()
        calls(throttler, Pacer(clock=clock, sleep=clock.sleep), clock.sleep, 40)
        assert (clock() - began, throttler.refused) == (0, 0)

    def test_several_limits_and_never_a_refusal(self) -> None:
        clock = StandingClock()
        throttler = Throttler([Row("Small", 2, 10, 10), Row("Large", 6, 60, 60)], clock)
        calls(throttler, Pacer(clock=clock, sleep=clock.sleep), clock.sleep, 60)
        assert throttler.refused == 0

    def test_a_key_that_others_used_up_waits_for_the_end_of_the_block(self) -> None:
        clock = StandingClock()
        throttler = Throttler([Row("Default", 5, 10, 15)], clock)
        with throttler.client() as others:
            for _ in range(8):
                others.get("/")
        refused_before = throttler.refused
        calls(throttler, Pacer(clock=clock, sleep=clock.sleep), clock.sleep, 1)
        assert throttler.refused - refused_before == 1
        assert clock() >= 1015

    def test_what_was_spent_during_the_block_is_taken_off(self) -> None:
        """FACTS §13: another client hammers on, and after the block its calls are spent."""
        clock = StandingClock()
        throttler = Throttler([Row("Default", 5, 10, 15)], clock)
        pacer = Pacer(clock=clock, sleep=clock.sleep)
        with throttler.client() as others:
            for _ in range(6):
                others.get("/")
            clock.sleep(11)
            for _ in range(4):
                others.get("/")
        refused_before = throttler.refused
        calls(throttler, pacer, clock.sleep, 10)
        # Once for the block that it came into, once for the spent window that nothing had told of.
        assert throttler.refused - refused_before == 2

    def test_a_block_beyond_patience_is_told_and_not_waited_for(self) -> None:
        clock = StandingClock()
        throttler = Throttler([Row("Default", 1, 10, 3600)], clock)
        with throttler.client() as others:
            others.get("/")
        with pytest.raises(TooManyRequests) as caught:
            calls(throttler, Pacer(clock=clock, sleep=clock.sleep), clock.sleep, 1)
        assert caught.value.retry_after == 3600
        assert clock() == 1000

    def test_nobody_else_waits_for_such_a_block_either(self) -> None:
        clock = StandingClock()
        throttler = Throttler([Row("Default", 1, 10, 3600)], clock)
        pacer = Pacer(clock=clock, sleep=clock.sleep)
        with throttler.client() as others:
            others.get("/")
        for _ in range(2):
            with pytest.raises(TooManyRequests):
                calls(throttler, pacer, clock.sleep, 1)
        assert (throttler.refused, clock()) == (1, 1000)

    def test_a_refusal_is_tried_again_a_few_times_only(self) -> None:
        clock = StandingClock()
        throttler = Throttler([Row("Default", 0, 10, 5)], clock)
        with pytest.raises(TooManyRequests):
            calls(throttler, Pacer(clock=clock, sleep=clock.sleep), clock.sleep, 1, attempts=3)
        assert throttler.refused == 3

    def test_an_instance_without_limits_is_not_paced(self) -> None:
        clock = StandingClock()
        http = httpx.Client(
            base_url="https://x.test", transport=httpx.MockTransport(lambda _: httpx.Response(200))
        )
        pacer = Pacer(clock=clock, sleep=clock.sleep)
        first = pacer.acquire()
        pacer.answered(first, {}, refused=False)
        second, third = pacer.acquire(), pacer.acquire()
        pacer.answered(second, {}, refused=False)
        pacer.lost(third)
        send(http, "GET", "/", idempotent=True, pacer=pacer)
        assert clock() == 1000


class TestTogether:
    """Threads that share one pacer; time goes forty times as fast."""

    @pytest.mark.parametrize(("limit", "each"), [(20, 25), (3, 4), (1, 1)])
    def test_four_threads_are_never_refused(self, limit: int, each: int) -> None:
        clock = FastClock(40)
        throttler = Throttler([Row("Default", limit, 10, 15)], clock, lambda: time.sleep(0.005))
        pacer = Pacer(clock=clock, sleep=clock.sleep)
        with ThreadPoolExecutor(4) as pool:
            runs = [pool.submit(calls, throttler, pacer, clock.sleep, each) for _ in range(4)]
            for run in runs:
                run.result()
        assert (throttler.served, throttler.refused) == (4 * each, 0)

    def test_threads_are_on_their_way_at_the_same_time(self) -> None:
        together, most, lock = 0, 0, threading.Lock()

        def answer_takes() -> None:
            nonlocal together, most
            with lock:
                together += 1
                most = max(most, together)
            time.sleep(0.01)
            with lock:
                together -= 1

        throttler = Throttler([Row("Default", 1000, 60, 60)], time.monotonic, answer_takes)
        pacer = Pacer()
        with ThreadPoolExecutor(4) as pool:
            for run in [pool.submit(calls, throttler, pacer, time.sleep, 10) for _ in range(4)]:
                run.result()
        assert most == 4

    def test_two_programs_that_pace_leave_each_other_room(self) -> None:
        clock = FastClock(40)
        throttler = Throttler([Row("Default", 20, 10, 15)], clock, lambda: time.sleep(0.003))
        pacers = [Pacer(clock=clock, sleep=clock.sleep) for _ in range(2)]
        began = clock()
        with ThreadPoolExecutor(4) as pool:
            runs = [
                pool.submit(calls, throttler, pacers[turn % 2], clock.sleep, 20, attempts=8)
                for turn in range(4)
            ]
            for run in runs:
                run.result()
        allowed = 20 * ((clock() - began) / 10 + 1)
        assert throttler.refused <= 2, "one for whoever is surprised by the other"
        assert throttler.served == 80
        assert throttler.served > allowed / 2

    def test_beside_a_client_that_does_not_pace_refusals_stay_few(self) -> None:
        clock = FastClock(40)
        throttler = Throttler([Row("Default", 20, 10, 5)], clock)
        over = threading.Event()

        def hammer() -> None:
            # Half of what the limit allows, whatever it is answered.
            with throttler.client() as http:
                while not over.is_set():
                    counted.append(http.get("/").status_code)
                    clock.sleep(1)

        counted: list[int] = []
        other = threading.Thread(target=hammer)
        other.start()
        try:
            calls(throttler, Pacer(clock=clock, sleep=clock.sleep), clock.sleep, 60, attempts=8)
        finally:
            over.set()
            other.join()
        assert throttler.refused - counted.count(429) <= 6
