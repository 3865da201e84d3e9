"""The words for people: what a car does, why, and why it may not get what was asked."""

from __future__ import annotations

from enum import Enum

from ..messages.vocabulary import DecisionReason as Why


class Cause(Enum):
    """Why a car is expected to leave with less than was asked."""

    NONE = ""
    TIME = "even at full power there is time for no more"
    TAPER = "its state of charge is not known, and a battery that is nearly full takes less"
    CHARGE_LIMIT = "the charge limit that was set is lower"
    DRIVER = "the driver asked for no control"
    OPERATOR = "the operator has stopped it"
    EVENT = "a grid event keeps it from charging"
    RELEASED = "the car is on its own schedule, so nobody can tell"
    SHARED = "the power limits of site and feeder leave no more for it"
    LATER = "it stays longer than the plan looks ahead"


BECAUSE = {
    Why.AS_ASKED: "",
    Why.RULE: "",
    Why.EMPTY: "",
    Why.DEPARTURE: "as it must to be ready in time",
    Why.MINIMUM_SOC: "as its battery is below the minimum",
    Why.LIMIT: "as a power limit is reached",
    Why.CHARGER: "as far as charger and car can",
    Why.RESERVE: "so that enough is left for the trip",
    Why.EXPORT_REFUSED: "as nothing may be given to the grid now",
    Why.HELD: "as before, to spare the charger another command",
    Why.ZERO_BETWEEN: "between charging and giving",
    Why.DRIVER_CHARGE_NOW: "as the driver asked for charging now",
    Why.DRIVER_OPT_OUT: "as the driver asked for no control",
    Why.OPERATOR_HOLD: "as the operator holds it there",
    Why.OPERATOR_RELEASE: "as the operator released it",
    Why.STALE_SOC: "carefully, as its state of charge was not told for too long",
    Why.FROZEN_SOC: "carefully, as its state of charge stands still while energy flows",
    Why.BAD_SOC: "carefully, as its state of charge cannot be true",
    Why.NO_DEPARTURE: "early, as no departure was said",
    Why.PRICE_GAP: "by the rules, as prices are missing",
    Why.UNUSUAL: "by the rules, as its readings are unusual",
    Why.NOT_FINITE: "by the rules, as the policy had no answer for it",
    Why.POLICY_FAILED: "by the rules, as the policy failed",
    Why.NOT_PLUGGED_KNOWN: "as it was not heard from for too long",
    Why.BAD_PARAMETERS: "as what is told of charger or car cannot be true",
    Why.NO_NEED: "carefully, as neither its state of charge nor its need is known",
    Why.EVENT: "as a grid event runs",
}
"""Why a set-point is what it is, for the middle of a sentence; empty where the price tells more."""

OPERATORS = {
    Why.AS_ASKED: "the policy's own wish, unchanged",
    Why.RULE: "by the rules: no policy, its breaker open, an order, or no ledger",
    Why.EMPTY: "no car",
    Why.DEPARTURE: "raised by the projection: the latest start has come, alone or under a shared limit",
    Why.MINIMUM_SOC: "raised by the projection: below the minimum SoC a car charges at once",
    Why.LIMIT: "cut by the projection at a limit of site or feeder",
    Why.CHARGER: "cut or rounded to what charger and car can do",
    Why.RESERVE: "export cut at reserve, departure, or what can be refilled in time",
    Why.EXPORT_REFUSED: "a condition of export is not met: consent, readings, capability, price, order",
    Why.HELD: "the last command stands: dead band, dwell or daily budget",
    Why.ZERO_BETWEEN: "a pause between import and export",
    Why.DRIVER_CHARGE_NOW: "the driver pressed 'charge now'",
    Why.DRIVER_OPT_OUT: "the driver opted out",
    Why.OPERATOR_HOLD: "an operator's hold",
    Why.OPERATOR_RELEASE: "an operator's release",
    Why.STALE_SOC: "SoC older than the gate allows: rules, by the need reckoned from measured power",
    Why.FROZEN_SOC: "SoC stands still while energy flows: rules, by the need reckoned from measured power",
    Why.BAD_SOC: "SoC outside 0 to 1: rules",
    Why.NO_DEPARTURE: "no departure was said: rules, charged early",
    Why.PRICE_GAP: "prices missing, late or with a gap within the stay: rules",
    Why.UNUSUAL: "readings outside the ranges that the policy was trained on: rules",
    Why.NOT_FINITE: "the policy's answer for this car is no number: rules",
    Why.POLICY_FAILED: "the policy failed or was too late in this cycle: rules",
    Why.NOT_PLUGGED_KNOWN: "released: whether a car is there is unknown, or was told too long ago",
    Why.BAD_PARAMETERS: "released: what is said of charger or car cannot be true",
    Why.NO_NEED: "neither SoC nor need is known: rules, as if the battery were empty",
    Why.EVENT: "a binding programme event: nothing elective is charged",
}
"""The same for whoever runs the service."""
