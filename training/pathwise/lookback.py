"""Looking back on a played day: what each car's action was worth there, in dollars.

A day's dollars hang on an action in two ways. The step's own energy is paid at the meter (`meters`). And what is more
or less in the battery afterwards changes what the car does later: it is full sooner, its latest start comes earlier, an
export stops at its reserve. Backward from the departure this gives the value of a kWh more, and the cost of a kWh less,
after every step: the adjoint of the day, by hand, since at each of these kinks automatic differentiation takes a slope
by the last bit (at a target reached exactly: none, or that of unserved energy). Tried and dropped, played against whole
days again: back-propagation through the battery (what is exported was never bought back, a limit filled exactly
weighed $ 7 per kWh), and the best use of a kWh instead of the policy's own (foretold three times what was gained).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...envs.encoding.fields import DEAD_BAND
from ...envs.physics.backends import port_model
from ...envs.simulator import Simulator
from ...envs.world.bank import Bank
from .meters import Meters, Sides
from .rollout import RAISED, REFUSED, Played

Array = NDArray[Any]

SOME_KW, SAME_SOC = 0.05, 1e-4
"""Less power is a pause; so close to its limit a battery is full."""

MUST_CHARGE = 0.5
"""A kWh that costs more than this share of the unserved price could not be made good: the projection sees to it."""


class Slopes(NamedTuple):
    """Dollars by action around what was played, as pieces of straight lines, each $ per unit of action (T, B, N).

    Upwards of `at` (or of 0) a car charges `more`, and past `surplus` at the import price: `more_far`. Between 0 and a
    charging `at` it charges `less`; between an exporting `at` and 0 it gives `give_less`. Below it gives `give_more`,
    and past `own_load` at the export price: `give_far`.
    """

    at: Array  # the action that would have done what was done
    more: Array
    more_far: Array
    surplus: Array
    less: Array
    give_less: Array
    give_more: Array
    give_far: Array
    own_load: Array


class Lookback:
    """Looks back on days of one bank.

    Args:
        simulator: that plays them.
    """

    def __init__(self, simulator: Simulator) -> None:
        self._bank, self._meters = simulator.bank, Meters(simulator)
        self._step_h, self._money = simulator.step_h, simulator.money

    def slopes(self, played: Played) -> Slopes:
        """What each action was worth."""
        after = self._soc_after(played)
        energy, departure = self._meters.of_energy(played), self._meters.of_departures(played, after)
        ends = np.ones(played.stay.shape, bool)
        ends[:-1] = played.stay[1:] != played.stay[:-1]
        gained, lost = np.zeros(played.stay.shape[1:]), np.zeros(played.stay.shape[1:])
        rows = []
        for step in reversed(range(len(played.stay))):
            car = _Step(self._bank, played, step, after[step], energy, self._money.wear_usd_per_kwh, self._step_h)
            gained = np.where(ends[step], departure.up[step], gained)
            lost = np.where(ends[step], departure.down[step], lost)
            must = lost > MUST_CHARGE * self._money.unserved_usd_per_kwh
            held = np.where(car.full, np.minimum(gained, 0.0), gained)
            rows.append(car.slopes(held, lost, must, self._step_h))
            gained, lost = car.before(held, lost, must)
        return Slopes(*(np.stack(column[::-1]) for column in zip(*rows, strict=True)))

    def _soc_after(self, played: Played) -> Array:
        model, power = port_model("numpy"), np.where(played.stay >= 0, played.setpoint_kw, 0.0)
        table, row = self._bank.days.stays, np.maximum(played.stay, 0)
        capacity, loss = table.capacity_kwh[row], table.fixed_loss_kw[row]
        up, _ = model.charge(
            played.soc, np.maximum(power, 0.0), self._step_h, capacity, table.taper_soc[row],
            table.battery_accept_kw[row], table.charge_efficiency[row], loss, table.stop_soc[row],
        )  # fmt: skip
        down, _ = model.discharge(
            played.soc, np.maximum(-power, 0.0), self._step_h, capacity, table.discharge_efficiency[row], loss, 0.0
        )
        return np.asarray(np.where(power > 0, up, np.where(power < 0, down, played.soc)))


class _Step:
    """All cars at one step: what they do, and the dollars per kWh at the battery of doing more or less of it."""

    def __init__(
        self,
        bank: Bank,
        played: Played,
        step: int,
        soc_after: Array,
        energy: Sides,
        wear_usd_per_kwh: float,
        hours: float,
    ) -> None:
        stay = played.stay[step]
        table, row = bank.days.stays, np.maximum(stay, 0)
        self.here, why = stay >= 0, played.reasons[step]
        self.kw = np.where(self.here, played.setpoint_kw[step], 0.0).astype(float)
        self.take_kw, self.give_kw = played.take_kw[step], np.maximum(played.give_kw[step], 0.0)
        self.charges, self.exports = self.kw > SOME_KW, self.kw < -SOME_KW
        eta, loss = table.charge_efficiency[row].astype(float), table.fixed_loss_kw[row].astype(float)
        out_kw = table.max_discharge_kw[row].astype(float)
        self.raised = ((why & int(RAISED)) != 0) & self.charges
        self.full = soc_after >= np.minimum(table.stop_soc[row], 1.0) - SAME_SOC
        # Who is full within the step has not drawn all that was offered.
        drawn_kw = (table.capacity_kwh[row] * (soc_after - played.soc[step]) / hours + loss) / eta
        drawn_kw = np.where(self.full, np.minimum(self.kw, drawn_kw), self.kw)
        given = self.kw / np.maximum(self.give_kw, SOME_KW)
        taken = drawn_kw / np.maximum(self.take_kw, SOME_KW)
        self.at = np.clip(np.where(self.charges, taken, np.where(self.exports, given, 0.0)), -1.0, 1.0)
        self.at_reserve = self.exports & (self.give_kw < out_kw - SOME_KW) & (-self.kw >= self.give_kw - SOME_KW)
        self.room = (
            self.here
            & ~self.exports
            & ~(self.charges & self.full)
            & (self.take_kw - self.kw > SOME_KW)
            & ~played.import_full[step]
        )
        self.able = (out_kw > 0) & table.export_consent[row] & table.soc_known[row] & ((why & int(REFUSED)) == 0)
        self.export_full = played.export_full[step]
        # The fixed loss is shared out over full power where a car is off: by the tangent alone every car that waits
        # would seem to gain from a trickle.
        full_kw = np.maximum(table.max_charge_kw[row], 1.0)
        self.gain = np.where(self.charges, eta, np.maximum(eta - loss / full_kw, 0.1))  # battery kWh per grid kWh
        off = 1.0 + loss / np.maximum(out_kw, 1.0)
        self.drain = np.where(self.exports, 1.0, off) / table.discharge_efficiency[row]
        self._prices(bank, played, step, energy)
        self.dear, self.dear_far = self.up / self.gain, self.up_far / self.gain  # to charge a kWh more
        self.saved = self.down / eta  # by charging one less
        own_kw = np.maximum(self.without_kw, 0.0)
        # An own load within the dead band cannot be met.
        small = (own_kw <= DEAD_BAND * np.maximum(out_kw, 1.0)) & ~self.exports
        self.earned = np.where(small, self.down_far, self.down) / self.drain - wear_usd_per_kwh
        self.earned_far = self.down_far / self.drain - wear_usd_per_kwh
        self.given_up = self.up * table.discharge_efficiency[row] - wear_usd_per_kwh  # by exporting one less
        self.own_load = -np.where(small, 0.0, np.clip(own_kw / np.maximum(self.give_kw, 0.1), 0.0, 1.0))
        self.surplus = np.clip(np.maximum(-self.without_kw, 0.0) / np.maximum(self.take_kw, 0.1), 0.0, 1.0)

    def _prices(self, bank: Bank, played: Played, step: int, energy: Sides) -> None:
        """$ per kWh at the meter: close to what was played, and on the other side of zero."""
        days, at = bank.days, played.days
        site = np.asarray(days.port_site)
        tariff = np.asarray(days.site_tariff)[site]
        buy = days.import_price.values[days.import_price.row[at], :, step][:, tariff].astype(float)
        sell = days.export_price.values[days.export_price.row[at], :, step][:, tariff].astype(float)
        base = days.net_load_kw.values[days.net_load_kw.row[at], :, step].astype(float)
        net_kw = (base + played.site_cars_kw[step])[:, site]
        self.without_kw = net_kw - self.kw
        self.up, self.down = energy.up[step][:, site], energy.down[step][:, site]
        self.up_far = self.up + np.where(net_kw > 0, 0.0, buy - sell)
        self.down_far = self.down - np.where(net_kw > 0, buy - sell, 0.0)

    def slopes(self, held: Array, lost: Array, must: Array, hours: float) -> Slopes:
        """Per unit of action, from the value of a kWh more and the cost of one less after the step."""
        idle = self.here & ~self.charges & ~self.exports
        take, give = self.take_kw * hours, self.give_kw * hours

        def more(dear: Array) -> Array:
            slope = (dear - held) * self.gain
            # Who waits is held back from charging; who has no room is not urged on.
            return np.asarray(np.where(self.room | (idle & (slope > 0)), slope, 0.0) * take)

        giving = self.able & ~self.raised & ~must & self.here
        near = (self.earned - lost) * self.drain
        giving &= ~(self.export_full & (near > 0))
        free = self.charges & ~self.raised & ~must
        return Slopes(
            at=self.at,
            more=more(self.dear), more_far=more(self.dear_far), surplus=self.surplus,
            less=np.where(free, (self.saved - lost) * self.gain, 0.0) * take,
            give_less=np.where(self.exports, (self.given_up - held) * self.drain, 0.0) * give,
            give_more=np.where(giving, near, 0.0) * give,
            give_far=np.where(giving, (self.earned_far - lost) * self.drain, 0.0) * give, own_load=self.own_load,
        )  # fmt: skip

    def before(self, held: Array, lost: Array, must: Array) -> tuple[Array, Array]:
        """The value of a kWh more, and the cost of one less, before the step: what the car does with it."""
        stops = self.charges & (self.full | self.raised)
        gained = np.where(stops, self.saved, np.where(self.at_reserve, self.earned, held))
        missed = np.where(stops & (self.full | self.room), self.dear, np.where(self.at_reserve, self.given_up, lost))
        # What is still missing at the departure is charged in the last steps that have room: the latest start.
        missed = np.where(must & self.room, np.minimum(self.dear, missed), missed)
        return np.where(self.here, gained, 0.0), np.where(self.here, missed, 0.0)
