"""The closed vocabularies of an answer; the words are what crosses the wire, the numbers what columns hold."""

from __future__ import annotations

from enum import IntEnum
from functools import cache, cached_property


class Word(IntEnum):
    """A number in a column, a word in a message."""

    @cached_property
    def word(self) -> str:
        """The name as it crosses the wire."""
        return self.name.lower()

    @classmethod
    @cache
    def words(cls) -> tuple[str, ...]:
        """All words, by number."""
        return tuple(member.word for member in cls)


class Mode(Word):
    """What a car is told."""

    PAUSE = 0
    CHARGE = 1
    EXPORT = 2
    RELEASE = 3  # no set-point: the car's own schedule applies, which is not the same as a pause


class DecisionSource(Word):
    """Who a set-point goes back to."""

    POLICY = 0
    POLICY_CLIPPED = 1  # the policy's, changed by the projection
    RULES = 2
    HOLD = 3  # the last command stands, to save one
    OVERRIDE = 4  # the driver
    OPERATOR = 5
    NOBODY = 6  # released


class OnExpiry(Word):
    """What the charger does when a lease ends and no new set-point came."""

    RELEASE = 0  # the car's own schedule
    STOP_EXPORT = 1  # stop exporting at once, then the car's own schedule


class DecisionReason(Word):
    """The one chief reason of a set-point."""

    AS_ASKED = 0  # the policy's wish, as it was
    RULE = 1  # the rules decide for the whole service: no policy, breaker open, operator's or ledger's doing
    EMPTY = 2  # no car
    DEPARTURE = 3  # raised: the latest start has come
    MINIMUM_SOC = 4  # raised: below the minimum a car charges at once
    LIMIT = 5  # cut at a limit of site or feeder
    CHARGER = 6  # cut or rounded to what charger and car can do
    RESERVE = 7  # export cut at reserve, departure or what can be refilled
    EXPORT_REFUSED = 8  # a condition of export is not met
    HELD = 9  # dead band, dwell or daily budget of commands
    ZERO_BETWEEN = 10  # a pause between import and export
    DRIVER_CHARGE_NOW = 11
    DRIVER_OPT_OUT = 12
    OPERATOR_HOLD = 13
    OPERATOR_RELEASE = 14
    STALE_SOC = 15
    FROZEN_SOC = 16
    BAD_SOC = 17  # outside 0 to 1
    NO_DEPARTURE = 18  # the driver said none
    PRICE_GAP = 19  # prices missing, late or with a gap within the stay
    UNUSUAL = 20  # readings outside the ranges that the policy was trained on
    NOT_FINITE = 21  # the policy's answer for this car is no number
    POLICY_FAILED = 22  # the policy failed, or was too late, in this cycle
    NOT_PLUGGED_KNOWN = 23  # released: whether a car is there is unknown, or known too long ago
    BAD_PARAMETERS = 24  # released: what is said of charger or car cannot be true
    NO_NEED = 25  # neither SoC nor need is known
    EVENT = 26  # a binding programme event


class ServiceState(Word):
    """The state of the service in one cycle."""

    AUTO = 0
    DEGRADED = 1  # rules: no policy, or its breaker is open
    OPERATOR = 2  # an operator's control is in force
    LEDGER_DOWN = 3  # rules, and no export: no evidence, no export


class Override(Word):
    """What a driver asked for; the numbers are the snapshot's."""

    NONE = 0
    CHARGE_NOW = 1
    OPT_OUT = 2


class Control(Word):
    """What an operator can order, for a fleet or single ports."""

    AUTO = 0
    RULES_ONLY = 1
    NO_EXPORT = 2
    HOLD = 3
    RELEASE = 4
