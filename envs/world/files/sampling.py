"""Days of real sessions for any number of ports."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from .align import kind_of_day, local_to_utc_s
from .sessions import SessionTable
from .timeline import DAY_S, FloatArray, IntArray

CLOCK_MARGIN_S = 2 * 3600
BUSY_SHARE = 0.5  # a source day has at least this share of the ports that the file's fullest day has


@dataclass(frozen=True)
class PlacedStays:
    """A sampled day in the target's own time, `(n,)` each, sorted by (port, arrival)."""

    port: IntArray  # 0 ... n_ports-1
    row: IntArray  # of the SessionTable: energies, SoC, capacity, line
    arrive_utc_s: IntArray
    depart_utc_s: IntArray
    said_depart_utc_s: FloatArray  # NaN: the driver said nothing


@dataclass(frozen=True)
class SampledDay:
    """Sessions of one source day (several where ports are spare) on `n_ports` ports, `(n,)` each.

    Wall-clock seconds count from local midnight of the window's own date, source or target.
    """

    port: IntArray
    row: IntArray
    arrive_wall_s: IntArray
    depart_wall_s: IntArray
    said_depart_wall_s: FloatArray
    source_days: tuple[date, ...]
    provenance: str

    def place(self, target_date: date, timezone: str) -> PlacedStays:
        """The stays in the target's days, each at its local time of day.

        Stays that have no length there (in the hour that the spring change skips) are left out.
        """
        arrive = local_to_utc_s(target_date, self.arrive_wall_s, timezone)
        depart = local_to_utc_s(target_date, self.depart_wall_s, timezone)
        said = np.full(len(self.port), np.nan)
        spoken = np.isfinite(self.said_depart_wall_s)
        said[spoken] = local_to_utc_s(target_date, self.said_depart_wall_s[spoken], timezone)
        order = np.lexsort((arrive, self.port))
        # an hour that the source's clocks repeat can bring two of its stays to the same time here
        after = np.flatnonzero(np.diff(self.port[order]) == 0) + 1
        arrive[order[after]] = np.maximum(arrive[order[after]], depart[order[after - 1]])
        order = order[depart[order] > arrive[order]]
        return PlacedStays(self.port[order], self.row[order], arrive[order], depart[order], said[order])


def sample_day(
    table: SessionTable,
    target_is_weekend: bool,
    rng: np.random.Generator,
    n_ports: int,
    start_hour: float,
    hours: float,
) -> SampledDay:
    """The stays that arrive in one window of a source day of the asked kind, on `n_ports` ports.

    A port of the file (station or user) counts on a day as present if the day lies between its first and
    last use, whether or not it was used: so the share of idle ports is the file's. From more present
    ports than `n_ports` a random choice is made; spare ports are filled from further source days of the
    same kind. Cars that were connected before the window began are not part of it.

    Args:
        table: sessions, as `read_sessions` gives them.
        target_is_weekend: kind of the date on which the window begins.
        rng: source of all choices.
        n_ports: ports to be filled.
        start_hour: local wall-clock hour at which the window begins: 0 for depots, 12 for homes.
        hours: length of the window on the wall clock.

    Raises:
        ValueError: the file holds no day of that kind, or there is no port to fill.
    """
    if n_ports < 1:
        raise ValueError(f"n_ports is {n_ports}; it must be at least 1")
    days = _source_days(table, target_is_weekend, n_ports, start_hour + hours)
    shares = _share_ports(table, days, rng, n_ports)
    picked = [_stays_of(table, *share, start_hour, hours) for share in shares]
    row, port, base = (np.concatenate(column) for column in zip(*picked, strict=True))
    used = [date.fromordinal(day) for day, _, _ in shares]
    return SampledDay(
        port=port,
        row=row,
        arrive_wall_s=table.arrive_wall_s[row] - base,
        depart_wall_s=table.depart_wall_s[row] - base,
        said_depart_wall_s=table.said_depart_wall_s[row] - base,
        source_days=tuple(used),
        provenance=_sentence(table, target_is_weekend, used, n_ports, start_hour),
    )


def _source_days(table: SessionTable, weekend: bool, n_ports: int, end_hour: float) -> IntArray:
    """Ordinals of the days to draw from: of the asked kind, whole, and with ports enough to be typical."""
    first, last = int(table.arrive_wall_s.min()) // DAY_S, int(table.arrive_wall_s.max()) // DAY_S
    days = np.arange(first, last + 2 - math.ceil(end_hour / 24))  # a window must not outlast the file
    days = days[((days + 6) % 7 >= 5) == weekend]
    present = table.present.sum(axis=1)[days - first]
    enough = max(1, min(n_ports, BUSY_SHARE * present.max(initial=0)))
    typical: IntArray = days[present >= enough]
    if not len(typical):
        kind = kind_of_day(weekend)
        raise ValueError(f"{table.path}: holds no whole {kind}; give a file of sessions that has one")
    return typical


def _share_ports(
    table: SessionTable, days: IntArray, rng: np.random.Generator, n_ports: int
) -> list[tuple[int, IntArray, IntArray]]:
    """Source days, the table's ports chosen on each, and the target ports that they fill, `n_ports` in sum.

    Days are drawn without repetition as long as they last.
    """
    first = int(table.arrive_wall_s.min()) // DAY_S
    free = rng.permutation(n_ports)
    queue: list[int] = []
    shares = []
    while len(free):
        queue = queue or rng.permutation(days).tolist()
        day = queue.pop()
        chosen = rng.permutation(np.flatnonzero(table.present[day - first]))[: len(free)]
        shares.append((day, chosen, free[: len(chosen)]))
        free = free[len(chosen) :]
    return shares


def _stays_of(
    table: SessionTable, day: int, chosen: IntArray, target: IntArray, start_hour: float, hours: float
) -> tuple[IntArray, IntArray, IntArray]:
    """Rows that arrive in the day's window on the chosen ports, their target ports, and its midnight."""
    begin = day * DAY_S + round(start_hour * 3600)
    end = begin + round(hours * 3600)
    # rows are sorted by UTC, and wall clocks run back in autumn: search with a margin, then look
    low, high = np.searchsorted(table.arrive_wall_s, (begin - CLOCK_MARGIN_S, end + CLOCK_MARGIN_S))
    wall = table.arrive_wall_s[low:high]
    rows = np.arange(low, high)[(wall >= begin) & (wall < end)]
    target_of = np.full(len(table.ports), -1)
    target_of[chosen] = target
    port = target_of[table.port[rows]]
    rows, port = rows[port >= 0], port[port >= 0]
    return rows, port, np.full(len(rows), day * DAY_S)


def _sentence(table: SessionTable, weekend: bool, used: list[date], n_ports: int, start_hour: float) -> str:
    days = ", ".join(str(d) for d in used[:3]) + (f" and {len(used) - 3} more" if len(used) > 3 else "")
    years = sorted({d.year for d in used})
    count = f"{len(used)} {kind_of_day(weekend)}{'s' if len(used) > 1 else ''}"
    source = f"{Path(table.path).name} ({', '.join(table.sites)}; {', '.join(map(str, years))})"
    return (
        f"stays on {n_ports} ports that began on {count} ({days}) of the {table.kind} sessions in {source}, "
        f"from {start_hour:g}:00 on, by local time of day ({table.timezone} to the scenario's); cars "
        "connected before that hour are left out"
    )
