"""Postfix's throw-away instance: its files, what is read from its log, and, where Postfix is installed, one relay."""

from pathlib import Path

import pytest

from bench import postfix
from bench.sinks import sink
from domain.transport import Mail
from stack import temporary_folder
from supervision.errors import CannotStart


def instance(folder: Path, port: int = 2500, sink_port: int = 2600) -> postfix.Instance:
    return postfix.Instance(folder / "postfix", port, sink_port, 80)


def test_everything_it_writes_is_in_its_folder_and_everything_goes_to_the_sink(tmp_path: Path) -> None:
    made = instance(tmp_path)
    postfix.configure(made)
    lines = (made.config / "main.cf").read_text().splitlines()
    main = {name.strip(): value.strip() for name, _, value in (line.partition("=") for line in lines)}
    assert main["relayhost"] == "[127.0.0.1]:2600"
    assert main["default_destination_concurrency_limit"] == "80"
    assert {main[name] for name in ("queue_directory", "data_directory", "maillog_file")} == {
        str(tmp_path / "postfix" / part) for part in ("queue", "data", "maillog")
    }
    services = [line.split() for line in (made.config / "master.cf").read_text().splitlines()]
    assert services[0][0] == "127.0.0.1:2500"
    assert [fields for fields in services if len(fields) != 8 or fields[4] != "n"] == []  # nothing chrooted


def test_the_log_is_counted_once_and_by_whole_lines(tmp_path: Path) -> None:
    log = tmp_path / "maillog"
    sent = postfix.SentLines(log)
    assert sent.look() == 0
    log.write_text("a: status=sent (250)\nb: status=deferred\nc: stat")
    assert sent.look() == 1
    log.write_text(log.read_text() + "us=sent\nd: status=sent")
    assert sent.look() == 2
    assert sent.look() == 2


@pytest.mark.skipif(postfix.missing() is not None, reason="Postfix is not installed, or we are not root")
async def test_it_relays_to_the_sink() -> None:
    async with temporary_folder() as folder, sink(folder, postfix.free_port(), recording=True) as target:
        content = b"From: a@x.example\r\nMessage-Id: <%d@x.example>\r\n\r\n.dot\r\n"
        mails = [Mail("b@x.example", f"r{n}@x.example", content % n) for n in range(5)]
        seen: list[int] = []
        rate = await postfix.relay(instance(folder, postfix.free_port(), target.port), mails, seen.append)
        assert rate > 0
        assert {line[1:] for line in target.records()} == {(f"r{n}@x.example", f"{n}@x.example") for n in range(5)}


async def test_a_sink_that_cannot_listen_says_so(tmp_path: Path) -> None:
    (tmp_path / "second").mkdir()
    async with sink(tmp_path, postfix.free_port(), recording=True) as first:
        with pytest.raises(CannotStart, match=f"port {first.port}"):
            async with sink(tmp_path / "second", first.port, recording=True):
                pass
