"""Where the token of prices goes."""

from __future__ import annotations

import pytest

from ebbflow.configs.messages import ConfigError
from ebbflow.serving.loop.options import Options
from ebbflow.serving.loop.start import price_source


@pytest.mark.parametrize(
    ("prices", "why"),
    [
        (["https://a.example/p", "https://b.example/p"], "goes to one URL, and --prices names 2"),
        (["prices.csv"], "goes to one URL, and --prices names 0"),
        (["http://a.example/p"], "would go to a.example in plain text; use https"),
        (["http://localhost.a.example/p"], "plain text"),
        (["https://a.example/p", "prices.csv"], None),
        (["http://127.0.0.1:8000/p"], None),
    ],
)
def test_a_token_of_prices_goes_to_one_place_and_in_secret(prices: list[str], why: str | None) -> None:
    options = Options("files:.", prices=tuple(prices), prices_token="secret")
    if why is None:
        assert price_source(options, None) is not None
        return
    with pytest.raises(ConfigError, match=why) as told:
        price_source(options, None)
    assert "secret" not in str(told.value)
