"""Whoever reads, however many, keeps no cycle waiting."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import httpx
import pytest

from ebbflow.serving.http.access import Access
from ebbflow.serving.http.app import create_app
from ebbflow.serving.http.threads import DECIDERS, PROBES, READERS
from ebbflow.serving.http.tokens import Scope, TokenFile
from ebbflow.serving.ledger.connect import MOST_CONNECTIONS
from ebbflow.serving.ledger.store import Ledger
from ebbflow.serving.people.desk import Desk

from ..core.small_fleet import document, request  # noqa: TID252
from ..service.services import Rig  # noqa: TID252


def test_a_cycle_is_decided_while_every_reader_waits(
    rig: Rig, tokens: TokenFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.clock.now_s = request().start_s + 2.0
    _, secret = tokens.create("all", tuple(Scope))
    go_on, readers = threading.Event(), 45

    def waits(_: Desk) -> list[str]:
        go_on.wait(10.0)
        return []

    async def scene() -> list[int]:
        transport = httpx.ASGITransport(create_app(rig.service, Access(tokens)))
        headers = {"Authorization": f"Bearer {secret}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://x", headers=headers) as client:
            reads = [asyncio.create_task(client.get("/v1/fleets")) for _ in range(readers)]
            await asyncio.sleep(0.1)
            try:
                async with asyncio.timeout(5.0):
                    made = await client.post("/v1/dispatch", json=document())
                    others = [await client.get(path) for path in ("/readyz", "/metrics", "/v1/model")]
            finally:
                go_on.set()
            return [one.status_code for one in (made, *others, *await asyncio.gather(*reads))]

    monkeypatch.setattr(Desk, "fleets", waits)
    assert asyncio.run(scene()) == [200] * (4 + readers)


def test_every_thread_can_have_a_connection(tmp_path: Path) -> None:
    assert READERS + DECIDERS + PROBES < MOST_CONNECTIONS
    ledger = Ledger(str(tmp_path / "l.db"))
    held = [ledger.engine.connect() for _ in range(MOST_CONNECTIONS)]
    for connection in held:
        connection.close()
    ledger.close()
