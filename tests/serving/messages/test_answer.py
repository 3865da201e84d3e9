"""An answer reads back as it was written."""

from __future__ import annotations

import numpy as np
import pytest

from ebbflow.serving.messages import DispatchAnswer, RequestError, answer_digest, answer_document, answer_from
from ebbflow.serving.messages.answer import ModelId, PortDecisions, Totals
from ebbflow.serving.messages.canonical import canonical_json, read_json
from ebbflow.serving.messages.vocabulary import DecisionReason, DecisionSource, Mode, OnExpiry, ServiceState


def make_answer() -> DispatchAnswer:
    return DispatchAnswer(
        fleet="f",
        cycle_id="f.20260715T180000Z",
        cycle_start_s=1_784_138_400.0,
        decided_at_s=1_784_138_401.25,
        state=ServiceState.DEGRADED,
        model=ModelId("learned", "3", "ab" * 32),
        input_sha256="cd" * 32,
        decisions=PortDecisions(
            id=np.array(["a", "b", "c"]),
            mode=np.array([Mode.CHARGE, Mode.RELEASE, Mode.EXPORT], np.int8),
            setpoint_kw=np.array([7.1, np.nan, -0.1]),
            valid_until_s=np.array([1_784_140_200.0, 1_784_140_200.0, 1_784_139_300.0]),
            on_expiry=np.array([OnExpiry.RELEASE, OnExpiry.RELEASE, OnExpiry.STOP_EXPORT], np.int8),
            source=np.array([DecisionSource.RULES, DecisionSource.NOBODY, DecisionSource.POLICY], np.int8),
            reason=np.array(
                [DecisionReason.STALE_SOC, DecisionReason.BAD_PARAMETERS, DecisionReason.AS_ASKED], np.int8
            ),
            command_due=np.array([True, False, True]),
        ),
        totals=Totals(7.1, 0.1, 0.4, {"rules": 1, "nobody": 1, "policy": 1}, {"stale_soc": 1}, 2),
        problems=("soc of 1 port is 2 h old",),
    )


def test_an_answer_survives_json_to_the_byte_and_keeps_its_digest() -> None:
    answer = make_answer()
    body = canonical_json(answer_document(answer))
    again = answer_from(read_json(body))
    assert canonical_json(answer_document(again)) == body
    assert answer_digest(again) == answer_digest(answer)


def test_words_and_nulls_stand_on_the_wire() -> None:
    sent = read_json(canonical_json(answer_document(make_answer())))
    decisions = sent["decisions"]
    assert decisions["mode"] == ["charge", "release", "export"]
    assert decisions["setpoint_kw"] == [7.1, None, -0.1]
    assert decisions["valid_until"][2] == "2026-07-15T18:15:00Z"
    assert decisions["command_due"] == [True, False, True]
    assert sent["state"] == "degraded"
    assert sent["model"]["sha256"] == "ab" * 32


@pytest.mark.parametrize("change", [{"schema": "x"}, {"state": "asleep"}, {"decisions": {}}, {"decided_at": 3}])
def test_what_is_no_answer_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(RequestError):
        answer_from(answer_document(make_answer()) | change)


def test_a_changed_answer_has_another_digest() -> None:
    answer = make_answer()
    moved = answer.decisions._replace(setpoint_kw=answer.decisions.setpoint_kw + 1e-12)
    assert answer_digest(DispatchAnswer(**{**vars(answer), "decisions": moved})) != answer_digest(answer)
