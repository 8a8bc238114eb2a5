"""The OAuth endpoints answer as described, whatever they are sent (schemathesis, against a running server)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode, checks

from tests.real.oauth_endpoints import document
from tests.real.served import Served

pytestmark = pytest.mark.real
EXAMPLES = 60


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    installed = Served(tmp_path_factory.mktemp("fuzzed"))
    with installed.run() as process:
        yield installed
        assert "Traceback" not in process.output, process.output
        installed.token()


@pytest.fixture(scope="module")
def schema(served: Served) -> Any:
    checks.load_all_checks()
    found = schemathesis.openapi.from_dict(document())
    found.config.update(base_url=served.url)
    return found


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_no_form_makes_an_endpoint_fail(served: Served, schema: Any, mode: GenerationMode) -> None:
    """No fault and no answer that is not described; the assertion is made up, or good, so that what follows is reached.

    A form may fit the document and be refused, and a token or scope of any text may be asked about.
    """
    excluded = [checks.CHECKS.get_one("positive_data_acceptance"), checks.CHECKS.get_one("negative_data_rejection")]
    answered: set[tuple[str, int]] = set()

    for result in schema.get_all_operations():
        operation = result.ok()

        @seed(1)
        @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(case=operation.as_strategy(generation_mode=mode), proven=st.booleans())
        def judge(case: Any, proven: bool) -> None:
            if proven and isinstance(case.body, dict):
                by_api = case.path in ("/introspect", "/client-keys")
                case.body["client_assertion"] = served.api_assertion() if by_api else served.assertion()
                case.body["client_assertion_type"] = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
                case.body.pop("client_id", None)
            response = case.call_and_validate(excluded_checks=excluded)
            answered.add((case.path, response.status_code))

        with contextlib.suppress(Unsatisfiable):  # nothing about a path without parameters can be wrong
            judge()

    refused = {path for path, status in answered if status in (400, 401, 403)}
    assert refused == {"/token", "/introspect", "/revoke", "/client-keys", "/client-keys/next"}
    if mode is GenerationMode.POSITIVE:
        assert {("/introspect", 200), ("/revoke", 200), ("/client-keys", 200), ("/jwks", 200)} <= answered
