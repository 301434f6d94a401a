"""The comparison that `songda chaos` makes at a webhook receiver; and the receiver itself, over a real socket."""

from pathlib import Path

from bench.heard import compare
from bench.hook_receiver import Manner
from bench.hooks import Told, hook_receiver
from domain import webhooks as rules
from domain.webhooks import Answer
from gateways.http import Guard, HttpPoster
from store.columns import now


def told(number: int, kind: str = "request", message: int = 1, event: str = "") -> Told:
    return Told(0.0, "0", event or f"evt_{number}", number, kind, message)


def test_everything_arrived_some_of_it_twice() -> None:
    both = [told(1), told(2, "deliver"), told(2, "deliver")]
    assert compare(both, {1: "delivered"}, {"0": 2}) == []


def test_what_never_arrived_and_which_numbers_are_missing() -> None:
    found = compare([told(1), told(4, message=2)], {1: "delivered", 2: "queued"}, {"0": 4})
    assert found == ["1 events never arrived: [(1, 'deliver')]", "endpoint 0: 2 numbers of 4 are missing: [2, 3]"]
    assert "numbers of several events" in compare([told(1), told(1, event="evt_9")], {}, {"0": 1})[0]


async def test_the_receiver_behaves_as_its_path_says_and_records_what_it_acknowledged(tmp_path: Path) -> None:
    poster = HttpPoster(Guard(["127.0.0.0/8"]), seconds=0.3)

    async def ask(url: str) -> Answer:
        body = rules.body_of("deliver", now(), 7, {"message_id": 3})
        async with poster.session(url) as post:
            return await post({"webhook-id": "evt_5"}, body)

    async with hook_receiver(tmp_path) as receiver:
        answers = [await ask(receiver.url(each, 2)) for each in (Manner.OK, Manner.REFUSES, Manner.SILENT, Manner.SLOW)]
        assert [answer.error for answer in answers] == [None, "http_500", "timeout", "timeout"]
        (one,) = receiver.told()
        assert (one.tag, one.event, one.number, one.kind, one.message) == ("2", "evt_5", 7, "deliver", 3)
        assert receiver.taken() == 1
        chance = [(await ask(receiver.url(Manner.RANDOM))).error for _ in range(60)]
    assert {None, "http_500"} <= set(chance)
