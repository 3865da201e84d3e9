"""Schemathesis over the OpenAPI document: no 5xx, nothing that the document does not say."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from ebbflow.serving.http.app import create_app

from ..core.small_fleet import Says  # noqa: TID252
from ..service.services import Rig  # noqa: TID252

CHECKS = (
    not_a_server_error, status_code_conformance, content_type_conformance, response_headers_conformance,
    response_schema_conformance,
)  # fmt: skip


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder: Path = tmp_path_factory.mktemp("schema")
    rig = Rig(str(folder / "ledger.db"), Says(5.0), "gates.check_clock=false")
    return schemathesis.openapi.from_asgi("/openapi.json", create_app(rig.service, names=()))


def assert_holds(operation: Any, mode: GenerationMode, examples: int) -> None:
    """Every answer of an operation to what its schema allows, or does not, is one that the document names."""

    @settings(max_examples=examples, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def holds(case: Any) -> None:
        case.validate_response(case.call(), checks=CHECKS)

    with suppress(Unsatisfiable):  # an operation that takes nothing cannot be sent anything wrong
        holds()


@pytest.mark.parametrize("examples", [20, pytest.param(250, marks=pytest.mark.slow)])
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_the_api_does_what_its_document_says(api: Any, mode: GenerationMode, examples: int) -> None:
    operations = [found.ok() for found in api.get_all_operations()]
    assert len(operations) >= 9
    for operation in operations:
        assert_holds(operation, mode, examples)
