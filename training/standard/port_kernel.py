"""One step of a fleet with the dollars of each port kept apart: the simulator's own parts, compiled once more."""

from __future__ import annotations

from ...envs.ledger import Account
from ...envs.physics.compiling import kernel
from ...envs.physics.kernels import drive, event_rate, note_price
from ...envs.physics.stay_kernels import settle


@kernel
def drive_apart(days, state, money, terms, setpoint_kw, own, kwh):
    """Drive all cars under `setpoint_kw` (B, N) and settle those that leave; overwrites `state`.

    Writes what the car itself causes into `own` (N, B, A) and what it draws from the grid into `kwh` (B, N).
    """
    for b in range(setpoint_kw.shape[0]):
        d, k = state.day[b], state.step[b]
        paid = event_rate(d, k, days.events)
        emitted = 0.0
        if money.carbon_usd_per_kg != 0.0:
            emitted = money.carbon_usd_per_kg * days.emissions.values[days.emissions.row[d], 0, k]
        state.step[b] = k + 1
        for n in range(setpoint_kw.shape[1]):
            for a in range(own.shape[2]):
                own[n, b, a] = 0.0
            kwh[b, n] = 0.0
            if not state.ports.plugged[b, n]:
                continue
            grid, taken, _, worn, _ = drive(b, n, terms.step_h, terms.rounding, state, setpoint_kw)
            kwh[b, n] = grid
            own[n, b, Account.WEAR_USD] = money.wear_usd_per_kwh * taken + money.calendar_wear_usd_per_kwh * worn
            own[n, b, Account.CARBON_USD] = emitted * grid
            note_price(b, n, d, k, paid, days, state)
            if state.depart_step[b, n] == k + 1 or k + 1 == terms.n_steps:
                settle(b, n, days.port_site[n], days, state, money, terms, own[n])
