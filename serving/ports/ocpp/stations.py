"""The central system's side of a connection: what a station tells, in each version's own messages."""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from types import ModuleType
from typing import Any, TypeVar

import ocpp.v16
import ocpp.v21
import ocpp.v201
from ocpp.exceptions import NotImplementedError as NotHandled
from ocpp.routing import after, on

from .profiles import Version
from .telemetry import Connector, needs_of, seconds_of

log = logging.getLogger("ebbflow.serving.ocpp")

PLUGGED_16 = {"Available": 0.0, "Reserved": 0.0, "Unavailable": math.nan, "Faulted": math.nan}
"""By status of the connector in 1.6; all others mean that a car is there."""

PLUGGED_2 = {"Available": 0.0, "Occupied": 1.0, "Reserved": 0.0}

Accepts = Callable[[str], bool]
Begun = Callable[["Station", int], Awaitable[None]]
Handler = TypeVar("Handler", bound=Callable[..., Any])


def handles(action: str) -> Callable[[Handler], Handler]:
    """Mark a method as what answers an action."""
    marked: Callable[[Handler], Handler] = on(action)
    return marked


def then(action: str) -> Callable[[Handler], Handler]:
    """Mark a method as what is done when an action has been answered."""
    marked: Callable[[Handler], Handler] = after(action)
    return marked


class Station:
    """What a station of any version has in common; mixed into the library's class of its version.

    Args:
        id: its identity.
        connection: a websocket.
        connectors: by number; what is not among them is not ours.
        clock: Unix seconds.
        accepts: whether an id tag may charge.
        begun: told of a connector after the station knows of its transaction.
        heartbeat_s: how often it reports without cause.
        answer_s: that it may take to answer.
    """

    version: Version
    id: str
    _results: ModuleType
    _calls: ModuleType

    def __init__(
        self, id: str, connection: Any, connectors: Mapping[int, Connector], clock: Callable[[], float],
        accepts: Accepts, begun: Begun, heartbeat_s: int, answer_s: float,
    ) -> None:  # fmt: skip
        # Messages may hold names and tags: they are not logged.
        super().__init__(id, connection, answer_s, _quiet())  # type: ignore[call-arg]
        self.connectors, self._clock, self._accepts, self._heartbeat_s = connectors, clock, accepts, heartbeat_s
        self._begun = begun

    async def _handle_call(self, msg: Any) -> Any:
        # The library leaves an action of 2.1 that nobody handles without an answer, and the station waits for one.
        if msg.action not in self.route_map:  # type: ignore[attr-defined]
            raise NotHandled(details={"cause": f"{msg.action} is not handled here"})
        return await super()._handle_call(msg)  # type: ignore[misc]

    @handles("BootNotification")
    def on_boot(self, **told: Any) -> Any:
        return self._results.BootNotification(current_time=self._time(), interval=self._heartbeat_s, status="Accepted")

    @handles("Heartbeat")
    def on_heartbeat(self, **told: Any) -> Any:
        return self._results.Heartbeat(current_time=self._time())

    def connector(self, number: Any) -> Connector:
        """What is known of a connector; of one that is not ours, nothing is kept."""
        return self.connectors.get(number) or Connector()

    def _time(self) -> str:
        return datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def _status(self, tag: Any) -> dict[str, str]:
        return {"status": "Accepted" if self._accepts(str(tag)) else "Invalid"}

    async def set_profile(self, connector: int, profile: Mapping[str, Any]) -> str:
        """Send a profile; returns the station's status.

        Raises:
            Exception: no answer, or an error in place of one.
        """
        answer = await self.call(self._profile_call(connector, dict(profile)), suppress=False)  # type: ignore[attr-defined]
        return str(answer.status)

    async def clear_profile(self, number: int) -> str:
        """Take a profile back; returns the station's status, `Unknown` where it had none."""
        answer = await self.call(self._clear_call(number), suppress=False)  # type: ignore[attr-defined]
        return str(answer.status)

    async def ask_status(self) -> None:
        """Have it tell whether cars are there, where that is not known: it tells by itself only what changes."""
        for number, connector in self.connectors.items():
            if math.isnan(connector.plugged.value):
                with suppress(Exception):  # a station need not know how
                    await self.call(self._status_call(number), suppress=False)  # type: ignore[attr-defined]

    def _status_call(self, number: int) -> Any:
        evse = {"id": number, "connector_id": 1}
        return self._calls.TriggerMessage(requested_message="StatusNotification", evse=evse)

    def _profile_call(self, connector: int, profile: dict[str, Any]) -> Any:
        return self._calls.SetChargingProfile(evse_id=connector, charging_profile=profile)

    def _clear_call(self, number: int) -> Any:
        return self._calls.ClearChargingProfile(charging_profile_id=number)


class Station16(Station, ocpp.v16.ChargePoint):  # type: ignore[misc]
    """OCPP 1.6."""

    version, _results, _calls = Version.V16, ocpp.v16.call_result, ocpp.v16.call
    numbers = itertools.count(int(datetime.now(UTC).timestamp()) % 1_000_000_000)
    """Of transactions, which 1.6 lets the central system name; not those of a process before."""

    @handles("Authorize")
    def on_authorize(self, id_tag: str, **told: Any) -> Any:
        return self._results.Authorize(id_tag_info=self._status(id_tag))

    @handles("StatusNotification")
    def on_status(self, connector_id: int, status: str, timestamp: str | None = None, **told: Any) -> Any:
        at_s = self._clock() if timestamp is None else seconds_of(timestamp)
        self.connector(connector_id).tell_plugged(PLUGGED_16.get(status, 1.0), at_s, self._clock())
        return self._results.StatusNotification()

    @handles("StartTransaction")
    def on_start(self, connector_id: int, id_tag: str, meter_start: int, timestamp: str, **told: Any) -> Any:
        info, number, connector = self._status(id_tag), next(self.numbers), self.connector(connector_id)
        if info["status"] == "Accepted":
            connector.tell_plugged(1.0, min(seconds_of(timestamp), self._clock()), self._clock())
            connector.begin(number, meter_start / 1000.0)
        return self._results.StartTransaction(transaction_id=number, id_tag_info=info)

    @then("StartTransaction")
    async def after_start(self, connector_id: int, **told: Any) -> None:
        await self._begun(self, connector_id)

    @handles("StopTransaction")
    def on_stop(self, transaction_id: int, **told: Any) -> Any:
        for connector in self.connectors.values():
            if connector.transaction == transaction_id:
                connector.transaction = None
        return self._results.StopTransaction()

    @handles("MeterValues")
    def on_meter_values(
        self, connector_id: int, meter_value: Any, transaction_id: int | None = None, **told: Any
    ) -> Any:
        connector, now_s = self.connector(connector_id), self._clock()
        if connector.transaction is None and transaction_id and math.isnan(connector.plugged.value):
            # It began before this process did.
            connector.tell_plugged(1.0, min(seconds_of(meter_value[0].get("timestamp")), now_s), now_s)
            connector.begin(transaction_id, math.nan)
        connector.take(meter_value, now_s)
        return self._results.MeterValues()

    def _status_call(self, number: int) -> Any:
        return self._calls.TriggerMessage(requested_message="StatusNotification", connector_id=number)

    def _profile_call(self, connector: int, profile: dict[str, Any]) -> Any:
        return self._calls.SetChargingProfile(connector_id=connector, cs_charging_profiles=profile)

    def _clear_call(self, number: int) -> Any:
        return self._calls.ClearChargingProfile(id=number)


class Station2(Station):
    """What 2.0.1 and 2.1 have in common."""

    @handles("Authorize")
    def on_authorize(self, id_token: Mapping[str, Any], **told: Any) -> Any:
        return self._results.Authorize(id_token_info=self._status(id_token.get("id_token")))

    @handles("StatusNotification")
    def on_status(self, timestamp: str, connector_status: str, evse_id: int, **told: Any) -> Any:
        plugged = PLUGGED_2.get(connector_status, math.nan)
        self.connector(evse_id).tell_plugged(plugged, seconds_of(timestamp), self._clock())
        return self._results.StatusNotification()

    @handles("TransactionEvent")
    def on_transaction(self, event_type: str, timestamp: str, transaction_info: Mapping[str, Any], **told: Any) -> Any:
        connector = self._connector_of(told.get("evse"), transaction_info["transaction_id"])
        info = self._status(told["id_token"].get("id_token")) if told.get("id_token") else None
        refused = info is not None and info["status"] != "Accepted"
        connector.take(told.get("meter_value") or (), self._clock())
        if event_type == "Ended":
            connector.transaction = None
        elif connector.transaction != transaction_info["transaction_id"] and not refused:
            begun = connector.readings.get("Energy.Active.Import.Register")
            fresh = event_type == "Started" and begun is not None
            connector.begin(transaction_info["transaction_id"], begun.value if fresh and begun else math.nan)
        state = transaction_info.get("charging_state")
        if state is not None:
            connector.tell_plugged(0.0 if state == "Idle" else 1.0, seconds_of(timestamp), self._clock())
        return self._results.TransactionEvent(id_token_info=info)

    @then("TransactionEvent")
    async def after_transaction(self, event_type: str, evse: Mapping[str, Any] | None = None, **told: Any) -> None:
        if event_type != "Ended" and evse is not None:
            await self._begun(self, evse["id"])

    @handles("MeterValues")
    def on_meter_values(self, evse_id: int, meter_value: Any, **told: Any) -> Any:
        self.connector(evse_id).take(meter_value, self._clock())
        return self._results.MeterValues()

    @handles("NotifyEVChargingNeeds")
    def on_needs(self, evse_id: int, charging_needs: Mapping[str, Any], **told: Any) -> Any:
        connector, now_s = self.connector(evse_id), self._clock()
        connector.needs = needs_of(charging_needs)
        soc = (charging_needs.get("dc_charging_parameters") or {}).get("state_of_charge")
        if soc is not None:
            told_at = told.get("timestamp") or datetime.fromtimestamp(now_s, UTC).isoformat()
            sample = {"measurand": "SoC", "value": soc, "unit": "Percent"}
            connector.take([{"timestamp": told_at, "sampled_value": [sample]}], now_s)
        # `Processing`: the schedule comes with the next cycle.
        return self._results.NotifyEVChargingNeeds(status="Processing")

    def _connector_of(self, evse: Mapping[str, Any] | None, transaction: str) -> Connector:
        """By its EVSE; where a message names none, by the transaction that runs there."""
        if evse is not None:
            return self.connector(evse.get("id"))
        return next((one for one in self.connectors.values() if one.transaction == transaction), Connector())


class Station201(Station2, ocpp.v201.ChargePoint):  # type: ignore[misc]
    """OCPP 2.0.1."""

    version, _results, _calls = Version.V201, ocpp.v201.call_result, ocpp.v201.call


class Station21(Station2, ocpp.v21.ChargePoint):  # type: ignore[misc]
    """OCPP 2.1."""

    version, _results, _calls = Version.V21, ocpp.v21.call_result, ocpp.v21.call


STATIONS: dict[str, type[Station]] = {"ocpp1.6": Station16, "ocpp2.0.1": Station201, "ocpp2.1": Station21}
"""By the websocket's sub-protocol."""


def _quiet() -> logging.Logger:
    """A logger for the library, which writes every message with its names and tags."""
    logger = logging.getLogger("ebbflow.serving.ocpp.messages")
    logger.propagate = False
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    return logger
