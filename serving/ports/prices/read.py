"""Reading prices: our own JSON and CSV, and the formats of the market's publishers.

JSON: `{"start": TIME, "step_s": 3600, "import_usd_per_kwh": [...]}`, and where they are known `export_usd_per_kwh`,
`published_at` and `source`. CSV: columns `start, import_usd_per_kwh` and perhaps `export_usd_per_kwh`, a row an
interval. Times have an offset; null or an empty cell is a price that is missing, which is not one of 0. Anything else
is tried as a file of CAISO (gridstatus) or ERCOT, whose rows are wholesale prices, $/MWh, for import and export alike.
"""

from __future__ import annotations

import csv
import io
import math
import tempfile
import zlib
from collections.abc import Mapping
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from ....envs.world.records import UNIT_SLIP_USD_PER_KWH
from ...messages.canonical import read_json
from ...messages.columns import RequestError, numbers, refuse_unknown
from .series import PriceSeries
from .source import PriceError

Array = Any

MOST_BYTES = 32 << 20
JSON_KEYS = ("start", "step_s", "import_usd_per_kwh", "export_usd_per_kwh", "published_at", "source")
CSV_KEYS = ("start", "import_usd_per_kwh", "export_usd_per_kwh")
LONGEST_STEP_S = 86400


def read_prices(
    body: bytes, name: str, published_s: float, *, location: str | None = None, market: str | None = None
) -> PriceSeries:
    """Read prices from what a file or a server holds.

    Args:
        body: its content, perhaps gzip.
        name: what to call it.
        published_s: when it came, Unix seconds, where it does not say so itself.
        location, market: of a file that holds several.

    Raises:
        PriceError: it cannot be read; names it, the place and the reason.
    """
    try:
        text = _plain(body).decode("utf-8-sig")
        if not text.strip():
            raise ValueError("is empty")
        if text.lstrip().startswith("{"):
            return _from_json(text, name, published_s)
        if text.splitlines()[0].partition(",")[0].strip() == "start":
            return _from_csv(text, name, published_s)
        return _from_market(body, name, published_s, location, market)
    except (ValueError, zlib.error) as error:
        raise PriceError(f"{name}: {error}") from None


def _plain(body: bytes) -> bytes:
    if body[:2] == b"\x1f\x8b":
        body = zlib.decompressobj(wbits=31).decompress(body, MOST_BYTES + 1)
    if len(body) > MOST_BYTES:
        raise ValueError(f"is larger than {MOST_BYTES >> 20} MiB; give fewer days")
    return body


def _from_json(text: str, name: str, published_s: float) -> PriceSeries:
    document = read_json(text.encode())
    if not isinstance(document, Mapping):
        raise RequestError("the file", "should be a table")
    refuse_unknown(document, JSON_KEYS)
    step_s = document.get("step_s")
    if type(step_s) is not int or not 60 <= step_s <= LONGEST_STEP_S:
        raise RequestError("step_s", f"should be whole seconds, 60 to {LONGEST_STEP_S}")
    buy = numbers(document.get("import_usd_per_kwh"), "import_usd_per_kwh")
    sell = numbers(document.get("export_usd_per_kwh", [None] * len(buy)), "export_usd_per_kwh", len(buy))
    starts = _seconds(document.get("start"), "start") + step_s * np.arange(len(buy))
    said = document.get("published_at")
    if said is not None:
        published_s = _seconds(said, "published_at")
    return _series(starts, step_s, buy, sell, published_s, str(document.get("source", name)))


def _from_csv(text: str, name: str, published_s: float) -> PriceSeries:
    rows = list(csv.DictReader(io.StringIO(text), skipinitialspace=True))
    header = [] if not rows else [key for key in rows[0] if key is not None]
    refuse_unknown(dict.fromkeys(header), CSV_KEYS, "the header")
    starts = np.array([_seconds(row["start"], f"line {line} start") for line, row in enumerate(rows, 2)])
    buy, sell = (
        np.array([_cell(row.get(key), f"line {line} {key}") for line, row in enumerate(rows, 2)])
        for key in CSV_KEYS[1:]
    )
    order = np.argsort(starts, kind="stable")
    gaps = np.diff(starts[order])
    if len(rows) < 2 or gaps.min() < 60:
        raise ValueError("should hold two rows or more, each start once")
    return _series(starts[order], int(min(gaps.min(), LONGEST_STEP_S)), buy[order], sell[order], published_s, name)


def _from_market(body: bytes, name: str, published_s: float, location: str | None, market: str | None) -> PriceSeries:
    from ....envs.world.files.prices import read_prices as read_market

    if find_spec("pandas") is None:
        raise ValueError("is in no format of ours, and a market's own takes pandas: pip install 'ebbflow[sim]'")
    with tempfile.NamedTemporaryFile(suffix=Path(name).suffix) as file:
        file.write(body)
        file.flush()
        try:
            table = read_market(file.name, location=location, market=market)
        except ValueError as error:
            raise ValueError(str(error).replace(file.name, "the file")) from None
    line = table.timeline
    made = f"{name}: {table.location}, {table.market}"
    prices = table.price_usd_per_kwh
    return _series(line.start_utc_s.astype(float), line.interval_s, prices, prices, published_s, made)


def _series(starts: Array, step_s: int, buy: Array, sell: Array, published_s: float, source: str) -> PriceSeries:
    if not len(starts):
        raise ValueError("holds no price")
    for what, prices in (("import", buy), ("export", sell)):
        highest = np.abs(np.nan_to_num(prices)).max()
        if highest > UNIT_SLIP_USD_PER_KWH:
            raise ValueError(f"an {what} price of {highest:g} $/kWh is beyond any market's cap; give $/kWh, not $/MWh")
    return PriceSeries(starts, step_s, buy, sell, published_s, source)


def _seconds(text: Any, where: str) -> float:
    try:
        moment = datetime.fromisoformat(text if isinstance(text, str) else "")
    except ValueError:
        moment = datetime.min
    if moment.tzinfo is None:
        raise RequestError(where, "should be a time with an offset, e.g. 2026-07-15T00:00:00-07:00")
    return moment.timestamp()


def _cell(text: Any, where: str) -> float:
    if text is None or not text.strip():
        return math.nan
    try:
        value = float(text)
    except ValueError:
        value = math.inf
    if not math.isfinite(value):
        raise RequestError(where, "should be a number, or empty where there is no price")
    return value
