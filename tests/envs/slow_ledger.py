"""A ledger written for the test alone: plain Python, one car after the other, straight from contracts 2, 3 and 4.

It imports nothing of the simulator and shares no line with it; slow and plain is its whole purpose.
"""

from __future__ import annotations

import math
from typing import Any


class SlowCar:
    """One stay, its battery, and all that the settlement wants to know of it."""

    def __init__(self, scenario: Any, row: int) -> None:
        for name in vars(scenario.stays):
            setattr(self, name, getattr(scenario.stays, name)[row].item())
        # A car that tells its SoC stops at its charge limit by itself.
        if self.soc_known:
            self.stop_soc = min(self.stop_soc, self.charge_limit_soc)
        self.soc = self.soc_arrive
        self.highest_price = -math.inf
        self.last_setpoint_kw = 0.0

    def offered(self, wish_kw: float) -> float:
        """Charger: box, current step toward zero, minimum."""
        top, least = (
            (self.max_charge_kw, self.min_charge_kw) if wish_kw > 0 else (self.max_discharge_kw, self.min_discharge_kw)
        )
        power = min(abs(wish_kw), top)
        if self.step_kw > 0:
            power = math.floor(power / self.step_kw + 1e-7) * self.step_kw
        if power < least - 1e-7:
            power = 0.0
        return math.copysign(power, wish_kw)

    def charged(self, soc: float, power_kw: float, hours: float) -> tuple[float, float]:
        """SoC and hours on after charging at a set-point, straight part first, then the decay."""
        into = min(self.charge_efficiency * power_kw - self.fixed_loss_kw, self.battery_accept_kw)
        if into <= 0 or soc >= self.stop_soc:
            return soc, 0.0
        open_part = 1 - self.taper_soc
        knee = max(self.taper_soc, 1 - open_part * into / self.battery_accept_kw)
        on = 0.0
        if soc < knee:
            on = min(hours, (min(knee, self.stop_soc) - soc) * self.capacity_kwh / into)
            soc += into * on / self.capacity_kwh
        if on < hours and soc < self.stop_soc - 1e-15:
            tau = self.capacity_kwh * open_part / self.battery_accept_kw
            bent = min(hours - on, tau * math.log((1 - soc) / (1 - self.stop_soc)))
            soc = 1 - (1 - soc) * math.exp(-bent / tau)
            on += bent
        return soc, on

    def drive(self, setpoint_kw: float, hours: float) -> tuple[float, float]:
        """Move the battery; returns grid kWh (signed) and kWh taken out for export."""
        before = self.soc
        if setpoint_kw > 0:
            self.soc, on = self.charged(before, setpoint_kw, hours)
            stored = self.capacity_kwh * (self.soc - before)
            return (stored + self.fixed_loss_kw * on) / self.charge_efficiency, 0.0
        if setpoint_kw < 0:
            out = (-setpoint_kw + self.fixed_loss_kw) / self.discharge_efficiency
            on = min(hours, before * self.capacity_kwh / out)
            self.soc = before - out * on / self.capacity_kwh
            return setpoint_kw * on, out * on
        return 0.0, 0.0

    def latest_start(self, goal: float, hours: float) -> float:
        """Least SoC from which full power reaches `goal` in `hours`, found by bisection on charging itself."""
        goal = min(goal, 0.995)
        stop, self.stop_soc = self.stop_soc, 1 - 1e-12
        low, high = -50.0, goal
        for _ in range(200):
            middle = (low + high) / 2
            if self.charged(middle, self.max_charge_kw, hours)[0] >= goal:
                high = middle
            else:
                low = middle
        self.stop_soc = stop
        return high


class SlowLedger:
    """One world's day; `usd` and `tallies` are plain dictionaries."""

    def __init__(self, scenario: Any) -> None:
        self.s = scenario
        self.h = scenario.interval_minutes / 60
        self.usd: dict[str, float] = {}
        self.tallies: dict[str, float] = {}
        self.windows: dict[int, list[tuple[float, float]]] = {}
        self.performance = [0.0] * len(scenario.events.start_step)
        self.cars: dict[int, SlowCar] = {}

    def book(self, name: str, value: float) -> None:
        self.usd[name] = self.usd.get(name, 0.0) + value

    def count(self, name: str, value: float) -> None:
        self.tallies[name] = self.tallies.get(name, 0.0) + value

    def top(self, name: str, value: float) -> None:
        self.tallies[name] = max(self.tallies.get(name, 0.0), value)

    def run(self, setpoint_kw: Any) -> None:
        """Play the day under set-points (T, N)."""
        for k in range(self.s.n_steps):
            self.plug_in(k)
            self.step(k, setpoint_kw[k])
            for port, car in list(self.cars.items()):
                if car.depart_step == k + 1 or k + 1 == self.s.n_steps:
                    self.settle(car, k + 1, int(self.s.port_site[port]))
                    del self.cars[port]
        self.bill_the_month()
        self.usd["net_cost_usd"] = sum(self.usd.values())

    def plug_in(self, k: int) -> None:
        for row in range(len(self.s.stays.port)):
            if self.s.stays.arrive_step[row] == k:
                self.cars[int(self.s.stays.port[row])] = SlowCar(self.s, row)

    def active(self, k: int) -> list[int]:
        e = self.s.events
        return [i for i in range(len(e.start_step)) if e.start_step[i] <= k < e.end_step[i]]

    def step(self, k: int, wishes: Any) -> None:
        s, h, money = self.s, self.h, self.s.money
        at_site = dict.fromkeys(range(len(s.site_feeder)), 0.0)
        paid = sum(float(s.events.rate_usd_per_kwh[e]) for e in self.active(k))
        total_kwh = 0.0
        for port, car in self.cars.items():
            site = int(s.port_site[port])
            tariff = int(s.site_tariff[site])
            before, setpoint = car.soc, car.offered(float(wishes[port]))
            grid, taken = car.drive(setpoint, h)
            at_site[site] += grid / h
            total_kwh += grid
            self.count("kwh_in", max(grid, 0.0))
            self.count("kwh_out", max(-grid, 0.0))
            self.count("kwh_lost", grid - car.capacity_kwh * (car.soc - before))
            self.count("kwh_from_battery", taken)
            self.book("wear_usd", money.wear_usd_per_kwh * taken)
            faded = self.calendar_fade(car, (before + car.soc) / 2)
            self.count("calendar_wear_kwh", faded)
            self.book("wear_usd", money.calendar_wear_usd_per_kwh * faded)
            self.count("commands", 1.0 if abs(setpoint - car.last_setpoint_kw) > 1e-6 else 0.0)
            car.last_setpoint_kw = setpoint
            price = max(s.import_price_usd_per_kwh[tariff, k], s.export_price_usd_per_kwh[tariff, k]) + paid
            car.highest_price = max(car.highest_price, float(price))
        co2 = float(s.emissions_kg_per_kwh[k]) * total_kwh
        self.count("co2_kg", co2)
        self.book("carbon_usd", money.carbon_usd_per_kg * co2)
        now = s.time_of(k)
        if s.peaker_window_local_hours[0] <= now.hour + now.minute / 60 < s.peaker_window_local_hours[1]:
            self.count("peaker_window_kwh", total_kwh)
        self.book("fixed_usd", sum(float(x) for x in s.fixed_usd_per_day) * h / 24)
        self.bill(k, at_site)

    def calendar_fade(self, car: SlowCar, mean_soc: float) -> float:
        """Schmalstieg 2014 at 25 degrees: mean loss rate of the first year, per hour."""
        volts = 3.332 + 0.826 * mean_soc
        yearly = (7.543 * volts - 23.75) * 1e6 * math.exp(-6976 / 298.15) * 365**0.75
        return car.capacity_kwh * yearly / 8760 * self.h

    def bill(self, k: int, at_site: dict[int, float]) -> None:
        s, h = self.s, self.h
        feeders_with = [float(x) for x in s.feeder_other_load_kw[:, k]]
        feeders_without = list(feeders_with)
        reduced = dict.fromkeys(self.active(k), 0.0)
        for site, cars in at_site.items():
            tariff, feeder = int(s.site_tariff[site]), int(s.site_feeder[site])
            buy = float(s.import_price_usd_per_kwh[tariff, k])
            sell = float(s.export_price_usd_per_kwh[tariff, k])
            without = float(s.site_net_load_kw[site, k])
            with_cars = without + cars
            bought = max(with_cars, 0.0) - max(without, 0.0)
            sold = max(-with_cars, 0.0) - max(-without, 0.0)
            self.book("energy_import_usd", buy * bought * h)
            self.book("export_revenue_usd", -sell * sold * h)
            self.windows.setdefault(site, []).append((max(with_cars, 0.0), max(without, 0.0)))
            feeders_with[feeder] += with_cars
            feeders_without[feeder] += without
            self.overload(with_cars, without, s.site_import_limit_kw[site, k], s.site_export_limit_kw[site, k])
            for e in reduced:
                change = float(s.baseline_kw[site, k]) - bought
                if s.events.pays_export[e]:
                    change += sold
                reduced[e] += change * h
        for e, kwh in reduced.items():
            self.performance[e] += kwh
        for f, load in enumerate(feeders_with):
            self.overload(load, feeders_without[f], s.feeder_import_limit_kw[f, k], s.feeder_export_limit_kw[f, k])
            self.top("peak_kw", load)

    def overload(self, load: float, without: float, most_in: float, most_out: float) -> None:
        over = max(load - max(float(most_in), without), 0.0) + max(-load - max(float(most_out), -without), 0.0)
        money = self.s.money
        price = money.unserved_usd_per_kwh if money.overload_usd_per_kwh is None else money.overload_usd_per_kwh
        self.count("overload_kwh", over * self.h)
        self.book("overload_usd", price * over * self.h)

    def bill_the_month(self) -> None:
        """Demand charge of the whole episode, and the programme's payment, floored at 0 per event."""
        s = self.s
        group = max(1, 15 // s.interval_minutes)
        for site, loads in self.windows.items():
            billed = float(s.billing_peak_kw[site])
            means = [loads[i : i + group] for i in range(0, len(loads), group)]
            with_cars = max(billed, *(sum(w for w, _ in m) / group for m in means))
            without = max(billed, *(sum(b for _, b in m) / group for m in means))
            share = 1.0 if billed > 0 else s.n_steps * self.h / 24 / 30.4
            rate = float(s.demand_rate_usd_per_kw[int(s.site_tariff[site])])
            self.book("demand_charge_usd", rate * share * (with_cars - without))
        for e, kwh in enumerate(self.performance):
            self.book("programme_usd", -float(s.events.rate_usd_per_kwh[e]) * max(kwh, 0.0))

    def settle(self, car: SlowCar, now: int, site: int) -> None:
        h, money, end = self.h, self.s.money, self.s.n_steps
        asked, early_h = car.asked_kwh, 0.0
        if car.depart_step > end:
            after = max(car.said_depart_step - end, 0) * h
            goal = car.target_soc
            if after > 0:
                floor = min(car.min_soc, goal) if car.soc_known else 0.0
                goal = max(car.latest_start(goal, after), floor)
            asked = min(asked, car.capacity_kwh * (goal - car.soc_arrive))
            gained = min(car.soc, car.target_soc) - min(car.soc_arrive, car.target_soc)
            self.book("end_value_usd", -self.end_price(site) * car.capacity_kwh * gained / car.charge_efficiency)
        else:
            early_h = max(car.said_depart_step - now, 0) * h
        at_once, _ = car.charged(car.soc_arrive, car.max_charge_kw, (now - car.arrive_step) * h)
        feasible = min(asked, car.capacity_kwh * (at_once - car.soc_arrive))
        missing = max(feasible - car.capacity_kwh * (car.soc - car.soc_arrive), 0.0)
        excused = 0.0
        if early_h > 0:
            later, _ = car.charged(car.soc, car.max_charge_kw, early_h)
            excused = min(missing, car.capacity_kwh * (later - car.soc))
        unserved = missing - excused
        price = max(money.early_leave_usd_per_kwh, 1.2 * car.highest_price / car.charge_efficiency)
        self.book("unserved_usd", money.unserved_usd_per_kwh * unserved)
        self.book("early_leave_usd", price * excused)
        self.serve(feasible, unserved, excused)

    def serve(self, feasible: float, unserved: float, excused: float) -> None:
        self.count("stays", 1)
        self.count("unserved_kwh", unserved)
        self.count("early_shortfall_kwh", excused)
        self.top("worst_shortfall_kwh", unserved)
        if feasible > 0:
            self.count("feasible_kwh", feasible)
            self.count("feasible_unserved_kwh", unserved)
        if feasible > 0 or unserved + excused > 1e-9:
            self.count("served_stays", 1)
            self.count("met_stays", 1 if unserved <= max(0.01 * feasible, 0.05) else 0)

    def end_price(self, site: int) -> float:
        """25th percentile of the episode's import prices, between its two nearest, not below 0."""
        prices = sorted(
            float(x) for x in self.s.import_price_usd_per_kwh[int(self.s.site_tariff[site]), : self.s.n_steps]
        )
        at = 0.25 * (len(prices) - 1)
        low = math.floor(at)
        high = min(low + 1, len(prices) - 1)
        return max(prices[low] + (at - low) * (prices[high] - prices[low]), 0.0)
