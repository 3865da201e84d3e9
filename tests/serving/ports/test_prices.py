"""Prices of files, of a URL, of a tariff: by absolute time, with their source, their window and their age."""

from __future__ import annotations

import gzip
import json
import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from ebbflow.envs.world.tariffs import load_tariff
from ebbflow.serving.core.price_gate import check_prices
from ebbflow.serving.core.settings import load_serving
from ebbflow.serving.messages import parse_request
from ebbflow.serving.ports.prices.files import PriceFile
from ebbflow.serving.ports.prices.read import read_prices
from ebbflow.serving.ports.prices.source import FirstOf, PriceError, PriceTable
from ebbflow.serving.ports.prices.tariffed import TariffPrices
from ebbflow.serving.ports.prices.url import PriceUrl

from ..core.small_fleet import document  # noqa: TID252
from .web_server import Says, WebServer

PACIFIC = ZoneInfo("America/Los_Angeles")
MIDNIGHT = datetime(2026, 7, 15, tzinfo=PACIFIC)
DATA = Path(__file__).parents[4] / "shared" / "data"


def day_of(prices: list[float | None], start: datetime = MIDNIGHT, **more: Any) -> bytes:
    return json.dumps({"start": start.isoformat(), "step_s": 3600, "import_usd_per_kwh": prices, **more}).encode()


HOURS = [0.1 + 0.01 * hour for hour in range(24)]


def table_of(body: bytes, at: datetime = MIDNIGHT, interval_s: int = 900, name: str = "prices") -> PriceTable:
    return read_prices(body, name, MIDNIGHT.timestamp()).table(at, interval_s)


def test_json_and_csv_say_the_same() -> None:
    rows = [f"{(MIDNIGHT + timedelta(hours=hour)).isoformat()},{price}" for hour, price in enumerate(HOURS)]
    text = "\n".join(["start,import_usd_per_kwh", *rows]).encode()
    one, other = table_of(day_of(HOURS)), table_of(text)
    np.testing.assert_array_equal(one.import_usd_per_kwh, other.import_usd_per_kwh)
    np.testing.assert_array_equal(one.import_usd_per_kwh[:8], [0.1] * 4 + [0.11] * 4)
    assert one.known_steps == other.known_steps == 96
    assert np.isnan(one.import_usd_per_kwh[96:]).all()
    assert np.isnan(one.export_usd_per_kwh).all(), "not told is not 0"
    assert table_of(gzip.compress(text)).known_steps == 96


def test_a_gap_is_no_price_and_an_hour_is_the_mean_of_its_parts() -> None:
    quarters = [[0.1, 0.2, 0.3, 0.4], [0.1, None, 0.1, 0.1]]
    body = day_of([price for hour in quarters for price in hour], step_s=900, export_usd_per_kwh=[0.05] * 8)
    made = table_of(body, interval_s=3600)
    assert made.import_usd_per_kwh[0] == pytest.approx(0.25)
    assert np.isnan(made.import_usd_per_kwh[1])
    assert made.export_usd_per_kwh[1] == pytest.approx(0.05)


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 8), 23), (date(2026, 11, 1), 25)])
def test_a_day_of_23_or_25_hours_has_each_price_once(day: date, hours: int) -> None:
    midnight = datetime(day.year, day.month, day.day, tzinfo=PACIFIC)
    made = table_of(day_of([float(hour) / 100 for hour in range(hours)], midnight), midnight, 3600)
    np.testing.assert_allclose(made.import_usd_per_kwh[:hours], np.arange(hours) / 100)
    assert made.known_steps == hours
    late = datetime.fromtimestamp(midnight.timestamp() + 3600 * (hours - 1), PACIFIC)
    assert late.hour == 23
    assert table_of(day_of([0.1] * hours, midnight), late, 3600).known_steps == 1


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "empty"),
        (b"{", "not valid JSON"),
        (b"\x00\xff", "decode"),
        (b"[1]", "column"),
        (day_of(HOURS, step_s=0), "step_s should be whole seconds"),
        (day_of(HOURS, extra=1), "unknown key"),
        (day_of(["a"] * 24), "should hold numbers or null"),  # type: ignore[list-item]
        (day_of([]), "no price"),
        (day_of([45.0] * 24), r"45 \$/kWh is beyond any market's cap; give \$/kWh"),
        (day_of(HOURS, export_usd_per_kwh=[1]), "rows"),
        (json.dumps({"start": "2026-07-15", "step_s": 3600, "import_usd_per_kwh": [1]}).encode(), "with an offset"),
        (b"start,import_usd_per_kwh\n2026-07-15T00:00Z,x\n2026-07-15T01:00Z,1\n", "line 2 import_usd_per_kwh"),
        (b"start,import_usd_per_kwh\n2026-07-15T00:00Z,1\n2026-07-15T00:00Z,1\n", "each start once"),
        (b"start,price\n2026-07-15T00:00Z,1\n", "unknown key"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(body: bytes, why: str) -> None:
    with pytest.raises(PriceError, match=rf"(?s)prices: .*{why}"):
        table_of(body)


def test_a_bomb_is_not_unpacked() -> None:
    with pytest.raises(PriceError, match="larger than 32 MiB"):
        table_of(gzip.compress(b"0" * (40 << 20)))


@pytest.mark.skipif(not DATA.exists(), reason="../shared/data is absent")
def test_a_markets_own_file_is_read() -> None:
    file = DATA / "ercot_dam_spp_2021.csv.gz"
    source = PriceFile(file, location="LZ_HOUSTON")
    start = datetime(2021, 2, 16, tzinfo=ZoneInfo("America/Chicago"))
    made = source.table(start, 3600, start.timestamp())
    assert made.import_usd_per_kwh.max() == pytest.approx(9.0, rel=0.01), "the emergency of February 2021"
    assert "LZ_HOUSTON" in made.source
    with pytest.raises(PriceError, match=r"3 settlement points.*choose one"):
        PriceFile(file).table(start, 3600, start.timestamp())


def test_a_file_is_read_again_when_it_was_written_and_its_age_is_told(tmp_path: Path) -> None:
    file = tmp_path / "prices.json"
    file.write_bytes(day_of(HOURS, published_at="2026-07-14T13:00:00-07:00"))
    source = PriceFile(file)
    first = source.table(MIDNIGHT, 900, MIDNIGHT.timestamp())
    assert (first.published_age_s, first.source) == (11 * 3600.0, "prices.json")
    file.write_bytes(day_of([0.5] * 24))
    os.utime(file, (MIDNIGHT.timestamp() - 60,) * 2)
    second = source.table(MIDNIGHT, 900, MIDNIGHT.timestamp())
    assert (second.import_usd_per_kwh[0], second.published_age_s) == (0.5, 60.0)


def test_where_a_file_breaks_the_old_prices_stand_and_say_so(tmp_path: Path) -> None:
    file = tmp_path / "prices.json"
    source = PriceFile(file)
    with pytest.raises(PriceError, match="No such file"):
        source.table(MIDNIGHT, 900, MIDNIGHT.timestamp())
    file.write_bytes(day_of(HOURS))
    source.table(MIDNIGHT, 900, MIDNIGHT.timestamp())
    file.write_bytes(b"{half")
    made = source.table(MIDNIGHT, 900, MIDNIGHT.timestamp())
    assert made.import_usd_per_kwh[0] == pytest.approx(0.1)
    assert "not refreshed" in made.source


def test_a_url_is_asked_now_and_then_and_only_for_what_is_new(web: WebServer) -> None:
    web.says = Says(200, day_of(HOURS), {"ETag": '"a"', "Last-Modified": "Wed, 15 Jul 2026 06:00:00 GMT"})
    source, now_s = PriceUrl(f"{web.url}/p.json?key=secret", token="t0ken"), MIDNIGHT.timestamp()
    made = source.table(MIDNIGHT, 900, now_s)
    assert made.published_age_s == 3600.0
    assert made.source == "127.0.0.1/p.json", "no key"
    assert web.asked[0].headers["authorization"] == "Bearer t0ken"
    source.table(MIDNIGHT, 900, now_s + 200)
    assert len(web.asked) == 1
    web.says = Says(304)
    later = source.table(MIDNIGHT + timedelta(minutes=15), 900, now_s + 900)
    assert web.asked[1].headers["if-none-match"] == '"a"'
    assert later.published_age_s == 4500.0, "unchanged, it ages"


@pytest.mark.parametrize("says", [Says(500), Says(404), Says(200, b"<html>"), Says(301, headers={"Location": "/"})])
def test_a_url_that_fails_is_told_and_the_last_prices_stand(web: WebServer, says: Says) -> None:
    source, now_s = PriceUrl(f"{web.url}/p"), MIDNIGHT.timestamp()
    good, web.says = Says(200, day_of(HOURS)), says
    with pytest.raises(PriceError, match=r"127\.0\.0\.1/p"):
        source.table(MIDNIGHT, 900, now_s)
    web.says = good
    source.table(MIDNIGHT, 900, now_s)
    web.says = says
    made = source.table(MIDNIGHT, 900, now_s + 1000)
    assert "not refreshed" in made.source
    assert made.import_usd_per_kwh[0] == pytest.approx(0.1)


def test_nobody_there() -> None:
    with pytest.raises(PriceError, match="ConnectError"):
        PriceUrl("http://127.0.0.1:9/x").table(MIDNIGHT, 900, 0.0)


class Fixed:
    def __init__(self, *prices: float) -> None:
        self.prices = np.array(prices)

    def table(self, start: datetime, interval_s: int, now_s: float) -> PriceTable:
        if not len(self.prices):
            raise PriceError("none here")
        filled = np.full(144, np.nan)
        filled[: len(self.prices)] = self.prices
        return PriceTable(filled, filled / 2, 60.0, f"fixed {self.prices[0]:g}")


def test_of_several_the_first_that_knows_the_present() -> None:
    def chosen(*sources: Fixed) -> str:
        return FirstOf(sources).table(MIDNIGHT, 900, 0.0).source

    assert chosen(Fixed(0.1), Fixed(0.2)) == "fixed 0.1"
    assert chosen(Fixed(), Fixed(0.2)) == "fixed 0.2"
    assert chosen(Fixed(np.nan, 0.1), Fixed(0.2)) == "fixed 0.2"
    assert chosen(Fixed(np.nan, 0.1), Fixed()) == "fixed nan", "the gate tells what is missing"
    with pytest.raises(PriceError, match="none here; none here"):
        chosen(Fixed(), Fixed())


def test_a_time_of_use_tariff_needs_no_market() -> None:
    source = TariffPrices(load_tariff("sdge-ev-tou-5"))
    evening = datetime(2026, 8, 4, 15, 7, 3, tzinfo=PACIFIC)  # off the grid: the hour that runs counts
    made = source.table(evening, 900, evening.timestamp())
    np.testing.assert_allclose(made.import_usd_per_kwh[:5], [0.49627] * 4 + [0.80205])
    assert made.source == "tariff sdge-ev-tou-5 of 2026-08-01"
    assert np.isnan(made.published_age_s)
    with pytest.raises(PriceError, match="in force from 2026-08-01 on"):
        source.table(MIDNIGHT, 900, 0.0)


def test_a_tariff_that_follows_a_market_adds_delivery_and_keeps_gaps() -> None:
    tariff = load_tariff("texas-lz-houston")
    start = datetime.combine(tariff.effective, datetime.min.time(), UTC) + timedelta(days=30)
    made = TariffPrices(tariff, Fixed(0.03, np.nan, 9.0)).table(start, 900, 0.0)
    assert made.import_usd_per_kwh[0] == pytest.approx(0.03 + tariff.delivery_usd_per_kwh)
    assert np.isnan(made.import_usd_per_kwh[1])
    assert made.import_usd_per_kwh[2] == pytest.approx(5.0 + tariff.delivery_usd_per_kwh), "the market's cap"
    assert made.source.endswith("fixed 0.03")
    with pytest.raises(ValueError, match="--prices"):
        TariffPrices(tariff)


def test_the_gate_names_source_window_and_age() -> None:
    start = datetime(2026, 7, 15, 20, tzinfo=PACIFIC)
    table = table_of(day_of([*HOURS[:21], None, *HOURS[22:]], published_at="2026-07-14T13:00:00-07:00"), start)
    asked = parse_request({**document(), "cycle_start": start.isoformat(), "prices": table.document(["t"])})
    settings = load_serving("default")
    (problem,) = check_prices(asked, settings.gates, settings.defaults).problems
    assert "2026-07-15T21:00:00-07:00 to 2026-07-15T22:00:00-07:00 (prices, published 31.0 h ago)" in problem
