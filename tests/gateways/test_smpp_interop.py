"""Somebody else's SMPP: the gateway against `smpp34`'s own server, the sandbox's carrier against its client."""

import asyncio

import smpp34

from domain.sending import OutcomeKind
from tests.smpp_world import Heard, MemoryBook, config_of, free_port, gateway, ready, sms, smsc_on, until

PHONE = "+8613800130000"


async def test_the_gateway_with_a_foreign_server() -> None:
    port = free_port()
    server = smpp34.Server("127.0.0.1", port, system_id="foreign")
    await server.start()
    esmes: dict[str, smpp34.Esme] = {}
    told: list[int] = []

    async def serve() -> None:
        while True:
            event = await server.next()
            if isinstance(event, smpp34.Esme):
                esmes[event.session_id] = event
            elif isinstance(event, smpp34.SubmitSmEvent):
                if event.destination_addr.endswith("9"):
                    event.reject(0x58)
                    continue
                event.accept("their-id")
                receipt = b"id:their-id sub:001 dlvrd:001 stat:DELIVRD err:000 text:"
                more = {"source_addr": event.destination_addr, "source_addr_ton": 1, "esm_class": 4}
                answer = await esmes[event.session_id].deliver_sm(event.source_addr, receipt, **more)  # type: ignore[arg-type]
                told.append(answer.command_status)

    serving = asyncio.create_task(serve())
    book, heard = MemoryBook(config_of(port)), Heard()
    try:
        async with gateway(book, heard) as carriers:
            await ready(carriers)
            carrier = carriers.get(1)
            assert carrier is not None
            assert (await carrier.submit(sms(PHONE))).ids == ("their-id",)
            assert (await heard.receipt_of("their-id")).phone == PHONE
            await until(lambda: told == [0])
            refused = (await carrier.submit(sms("+8613800130009"))).outcome
            assert (refused.kind, refused.text) == (OutcomeKind.DEFERRED, "ESME_RTHROTTLED")
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        await server.stop()


async def test_a_foreign_client_with_the_sandboxs_carrier() -> None:
    port = free_port()
    async with smsc_on(port) as (smsc, taken):
        client = smpp34.Client("127.0.0.1", port, "songda", "pretend8", bind_type="TRX")
        session = await client.connect()
        answer = await session.submit_sm("8613800130000", b"hello", source_addr="106900001", registered_delivery=1)
        assert answer.is_success and answer.message_id == taken[0].smsc_id
        event = await asyncio.wait_for(asyncio.ensure_future(session.next()), 5)
        assert isinstance(event, smpp34.DeliverSmEvent) and event.esm_class == 4
        assert f"id:{answer.message_id}".encode() in event.short_message and b"stat:DELIVRD" in event.short_message
        refused = await session.submit_sm("8613800139012", b"hello", source_addr="106900001")
        assert refused.command_status == 0x0B
        await session.unbind()
        await client.stop()
        await until(lambda: not smsc.sessions)
