"""A simulated charge point of OCPP 1.6, 2.0.1 or 2.1, which obeys charging profiles by its own clock."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import threading
from datetime import UTC, datetime
from typing import Any

import ocpp.v16
import ocpp.v21
import ocpp.v201
from ocpp.routing import on
from websockets.asyncio.client import connect

PROTOCOLS = {"1.6": "ocpp1.6", "2.0.1": "ocpp2.0.1", "2.1": "ocpp2.1"}
FULL_KW = 11.0


def moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def second(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


class _Point:
    """Both sides of what is the same in every version; `self.profiles` by number, `self.answer` to the next ones."""

    modules: Any

    @on("TriggerMessage")
    def on_trigger(self, **_: Any) -> Any:
        self.triggered += 1
        return self._call_result.TriggerMessage(status="Accepted")

    def _begin(self) -> None:
        self.triggered = 0
        self.profiles: dict[int, dict[str, Any]] = {}
        self.answer = "Accepted"

    def _set(self, profile: dict[str, Any], number: int) -> str:
        if self.answer == "Accepted":
            self.profiles[number] = profile
        return self.answer

    def _clear(self, number: int) -> str:
        return "Unknown" if self.profiles.pop(number, None) is None else "Accepted"

    def power_kw(self, now_s: float, voltage: float = 230.0) -> float:
        """What the car draws: full power where no profile is valid, as a station's own default says."""
        for profile in self.profiles.values():
            schedule = profile["charging_schedule"]
            schedule = schedule[0] if isinstance(schedule, list) else schedule
            begin = second(schedule["start_schedule"])
            if now_s >= second(profile["valid_to"]) or not begin <= now_s < begin + schedule["duration"]:
                continue
            period = schedule["charging_schedule_period"][0]
            factor = 1e-3 if schedule["charging_rate_unit"] == "W" else 1e-3 * voltage * period["number_phases"]
            if period.get("operation_mode") == "CentralSetpoint":
                return float(period["setpoint"]) * factor
            return min(float(period["limit"]) * factor, FULL_KW)
        return FULL_KW


class Point16(_Point, ocpp.v16.ChargePoint):
    @on("SetChargingProfile")
    def on_set(self, connector_id: int, cs_charging_profiles: dict[str, Any]) -> Any:
        number = cs_charging_profiles["charging_profile_id"]
        return ocpp.v16.call_result.SetChargingProfile(status=self._set(cs_charging_profiles, number))

    @on("ClearChargingProfile")
    def on_clear(self, id: int, **_: Any) -> Any:
        return ocpp.v16.call_result.ClearChargingProfile(status=self._clear(id))


class _Point2(_Point):
    @on("SetChargingProfile")
    def on_set(self, evse_id: int, charging_profile: dict[str, Any], **_: Any) -> Any:
        status = self._set(charging_profile, charging_profile["id"])
        return self.modules.call_result.SetChargingProfile(status=status)

    @on("ClearChargingProfile")
    def on_clear(self, charging_profile_id: int, **_: Any) -> Any:
        return self.modules.call_result.ClearChargingProfile(status=self._clear(charging_profile_id))


class Point201(_Point2, ocpp.v201.ChargePoint):
    modules = ocpp.v201


class Point21(_Point2, ocpp.v21.ChargePoint):
    modules = ocpp.v21


POINTS: dict[str, Any] = {"1.6": Point16, "2.0.1": Point201, "2.1": Point21}


class ChargePoint:
    """A charge point that lives on a thread of its own, driven by a test.

    Args:
        version: of OCPP.
        port: of the central system.
        station: its identity.
        password: None: none.
    """

    def __init__(self, version: str, port: int, station: str = "cp", password: str | None = None) -> None:
        self.version, self.transaction = version, None
        self._url, self._station, self._password = f"ws://127.0.0.1:{port}/{station}", station, password
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._seq = 0
        self._run(self._connect())

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10.0)

    async def _connect(self) -> None:
        code = base64.b64encode(f"{self._station}:{self._password}".encode()).decode()
        headers = {} if self._password is None else {"Authorization": f"Basic {code}"}
        protocol: Any = PROTOCOLS[self.version]
        self._socket = await connect(self._url, subprotocols=[protocol], additional_headers=headers)
        self.point = POINTS[self.version](self._station, self._socket)
        self.point._begin()
        self._task = asyncio.ensure_future(self._listen())

    async def _listen(self) -> None:
        with contextlib.suppress(Exception):
            await self.point.start()

    def call(self, name: str, **content: Any) -> Any:
        """Send a message of this version and wait for the answer."""
        payload = getattr(self.point._call, name)(**content)
        return self._run(self.point.call(payload, suppress=False))

    def raw(self, text: str) -> None:
        """Send what may be no message at all."""
        self._run(self._socket.send(text))

    def boot(self) -> Any:
        station = {"model": "m", "vendor_name": "v"}
        if self.version == "1.6":
            return self.call("BootNotification", charge_point_model="m", charge_point_vendor="v")
        return self.call("BootNotification", charging_station=station, reason="PowerUp")

    def plug(self, now_s: float, there: bool = True) -> None:
        if self.version == "1.6":
            status = "Preparing" if there else "Available"
            self.call(
                "StatusNotification", connector_id=1, error_code="NoError", status=status, timestamp=moment(now_s)
            )
        else:
            status = "Occupied" if there else "Available"
            self.call("StatusNotification", timestamp=moment(now_s), connector_status=status, evse_id=1, connector_id=1)

    def start(self, now_s: float) -> None:
        if self.version == "1.6":
            made = self.call(
                "StartTransaction", connector_id=1, id_tag="tag", meter_start=1000, timestamp=moment(now_s)
            )
            self.transaction = made.transaction_id
        else:
            self.transaction = f"tx-{now_s:.0f}"
            register = self._meter(now_s, {"Energy.Active.Import.Register": (1000, "Wh")})
            self._event("Started", now_s, "Charging", register)

    def stop(self, now_s: float) -> None:
        if self.version == "1.6":
            self.call("StopTransaction", meter_stop=1000, timestamp=moment(now_s), transaction_id=self.transaction)
        else:
            self._event("Ended", now_s, "EVConnected", None)
        self.transaction = None

    def meter(self, now_s: float, **values: tuple[float, str]) -> None:
        """Readings by measurand, dots as double underscores, each with its unit."""
        told = self._meter(now_s, {name.replace("__", "."): value for name, value in values.items()})
        if self.version == "1.6":
            self.call("MeterValues", connector_id=1, meter_value=told, transaction_id=self.transaction)
        else:
            self.call("MeterValues", evse_id=1, meter_value=told)

    def _meter(self, now_s: float, values: dict[str, tuple[float, str]]) -> list[dict[str, Any]]:
        if self.version == "1.6":
            samples = [{"measurand": n, "value": str(v), "unit": u} for n, (v, u) in values.items()]
        else:
            samples = [{"measurand": n, "value": v, "unit_of_measure": {"unit": u}} for n, (v, u) in values.items()]
        return [{"timestamp": moment(now_s), "sampled_value": samples}]

    def _event(self, kind: str, now_s: float, state: str, meter: Any) -> None:
        self._seq += 1
        self.call(
            "TransactionEvent", event_type=kind, timestamp=moment(now_s), trigger_reason="Authorized", seq_no=self._seq,
            transaction_info={"transaction_id": self.transaction, "charging_state": state}, evse={"id": 1},
            id_token={"id_token": "tag", "type": "ISO14443"}, meter_value=meter,
        )  # fmt: skip

    def power_kw(self, now_s: float) -> float:
        return self.point.power_kw(now_s) if self.transaction is not None else 0.0

    def close(self) -> None:
        if self._loop.is_closed():
            return
        with contextlib.suppress(Exception):
            self._run(self._socket.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5.0)
        self._loop.close()
