"""The graph answers like its network on any fleet; what is written can be played and says where it comes from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ebbflow.agents.bundle import BundlePolicy, load_bundle
from ebbflow.agents.bundle.policy import open_session, run_graph
from ebbflow.agents.days import DayRequest, draw_days
from ebbflow.agents.run import run_days
from ebbflow.configs.cli import main
from ebbflow.configs.load import ConfigError
from ebbflow.envs.encoding import CONTEXT_FIELDS, PORT_FIELDS, Observation, bounds
from ebbflow.training.export import origin
from ebbflow.training.export.bundle import Origin, export_network
from ebbflow.training.export.graph import network_to_onnx
from ebbflow.training.export.observations import Seen, adversarial, recorded
from ebbflow.training.export.parity import ParityError, prove_parity
from ebbflow.training.export.ranges import training_ranges
from ebbflow.training.policy import SetNetwork, SetNetworkSizes, TorchPolicy
from ebbflow.training.run import days as days_of_run
from ebbflow.training.run.folder import RunFolder
from ebbflow.training.run.settings import RunSettings
from ebbflow.training.weights import save_network


def network(seed: int = 0, spread: float = 1.0) -> SetNetwork:
    """Fresh, its weights apart by a factor, so that answers reach all of [-1, 1]."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = SetNetwork(SetNetworkSizes(8, 8, 8))
        for layers in (made.head, made.level):  # which begin by answering nothing
            torch.nn.init.normal_(layers[-1].weight, std=0.1)
    with torch.no_grad():
        for weights in made.parameters():
            weights.mul_(spread)
    return made


@pytest.fixture(scope="module")
def graph() -> bytes:
    return network_to_onnx(network())


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, graph: bytes) -> Path:
    folder = tmp_path_factory.mktemp("export") / "bundle"
    days = draw_days(DayRequest("home-california", ("ports=5",), days=2, split="train")).scenarios
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ebbflow.training.export.bundle.network_to_onnx", lambda network: graph)  # traced once is enough
        export_network(network(), folder, Origin(("home-california",), days=(days,), run_id="r1", settings_hash="s1"))
    return folder


def test_graph_and_network_agree_on_what_no_day_has(graph: bytes) -> None:
    parity = prove_parity(network(), graph, adversarial(np.random.default_rng(1)))
    assert max(parity.worst.values()) < 1e-5
    assert {"nobody, one port", "corners, 10,000 ports on one site", "one field at its bound"} <= set(parity.worst)


def test_the_observations_reach_every_bound() -> None:
    seen = [one for _, one in adversarial(np.random.default_rng(1))]
    for part, fields in (("ports", PORT_FIELDS), ("context", CONTEXT_FIELDS)):
        rows = [getattr(one.observation, part) for one in seen]
        rows = [row.reshape(-1, row.shape[-1]) for row in rows]
        low, high = bounds(fields)
        np.testing.assert_array_equal(np.min([row.min(0) for row in rows], 0), np.minimum(low, 0).astype(np.float32))
        np.testing.assert_array_equal(np.max([row.max(0) for row in rows], 0), np.array(high, np.float32))


@pytest.mark.slow
def test_a_network_whose_layers_answer_nothing_is_exported_as_its_rule(graph: bytes) -> None:
    fresh = SetNetwork(SetNetworkSizes(8, 8, 8))
    rule = network_to_onnx(fresh)
    parity = prove_parity(fresh, rule, adversarial(np.random.default_rng(1)))
    assert max(parity.worst.values()) < 1e-5
    assert b"Sigmoid" in graph
    assert b"Sigmoid" not in rule


@pytest.mark.parametrize("changed", ["head.2.bias", "level.2.weight", "shortcut"])
def test_a_graph_of_other_weights_is_refused(graph: bytes, changed: str) -> None:
    other = network()
    with torch.no_grad():
        other.get_parameter(changed).add_(0.01)
    with pytest.raises(ParityError, match=r"away from the network, and 0\.0001 is let pass; nothing was written"):
        prove_parity(other, graph, adversarial(np.random.default_rng(1)))


def test_permuting_the_cars_permutes_the_answers(graph: bytes) -> None:
    session, rng = open_session(graph, "it"), np.random.default_rng(2)
    for _, seen in list(adversarial(rng))[:24]:
        order = rng.permutation(len(seen.port_site))
        o = seen.observation
        turned = o._replace(ports=o.ports[:, order], mask=o.mask[:, order])
        straight = run_graph(session, *seen)
        again = run_graph(session, turned, seen.port_site[order], seen.site_feeder, seen.n_feeders)
        np.testing.assert_allclose(again, straight[:, order], atol=2e-5)


def test_the_graph_tells_nothing_of_this_machine(graph: bytes) -> None:
    assert str(Path(__file__).parents[3]).encode() not in graph
    assert b"fx_node" not in graph


@pytest.mark.slow
def test_exporting_twice_gives_the_same_graph_and_leaves_the_global_generator_alone(graph: bytes) -> None:
    before = torch.get_rng_state()
    assert network_to_onnx(network()) == graph
    assert torch.equal(torch.get_rng_state(), before)


def test_the_manifest_tells_where_it_comes_from_and_what_was_proved(bundle: Path) -> None:
    manifest = load_bundle(bundle).manifest
    assert (manifest.trained_on, manifest.run_id, manifest.settings_hash) == (("home-california",), "r1", "s1")
    assert manifest.parity.observations["days of training"] == 2 * 96
    for preset in ("depot-workplace", "home-california", "home-texas"):
        assert manifest.parity.observations[f"days of {preset}"] == 4 * 96
    assert manifest.versions.keys() >= {"ebbflow", "torch", "onnxruntime"}
    low, high = bounds(PORT_FIELDS)
    for at, field in enumerate(PORT_FIELDS):
        least, most = manifest.training_ranges[field.name]
        assert low[at] <= least <= most <= high[at]
    assert sum(field.width for field in (*PORT_FIELDS, *CONTEXT_FIELDS)) == len(manifest.training_ranges)


@pytest.mark.parametrize("scenario", ["home-california", "depot-workplace"])
def test_a_bundle_makes_of_a_day_what_its_network_makes(bundle: Path, scenario: str) -> None:
    days = draw_days(DayRequest(scenario, ("ports=6",), days=2)).scenarios
    played, trained = (run_days(days, policy) for policy in (BundlePolicy(bundle), TorchPolicy(network())))
    assert played.failure == ""
    for one, other in zip(played.ledgers, trained.ledgers, strict=True):
        assert one.net_cost_usd == pytest.approx(other.net_cost_usd, rel=1e-3, abs=1e-3)


def test_ranges_are_quantiles_of_connected_cars() -> None:
    days = draw_days(DayRequest("home-california", ("ports=4",), days=2, split="train")).scenarios
    seen = recorded(days, TorchPolicy(network()))
    at = [field.name for field in PORT_FIELDS].index("soc")
    values = np.concatenate([one.observation.ports[..., at][one.observation.mask == 1] for one in seen])
    assert training_ranges([seen])["soc"] == tuple(np.quantile(values, (0.001, 0.999)))


def test_a_small_fleet_among_large_ones_widens_the_ranges() -> None:
    def fleet(cars: int, value: float, here: float = 1.0) -> list[Seen]:
        shapes = ((1, cars, sum(f.width for f in PORT_FIELDS)), (1, sum(f.width for f in CONTEXT_FIELDS)), (1, cars))
        ports, around, mask = (np.full(shape, value, np.float32) for shape in shapes)
        return [Seen(Observation(ports, around, np.full_like(mask, here)), np.zeros(cars, int), np.zeros(1, int), 1)]

    made = training_ranges([fleet(5000, 0.5), fleet(1, 0.75)])
    assert set(made.values()) == {(0.5, 0.75)}
    empty = training_ranges([fleet(2, 0.5), fleet(2, 0.75, here=0.0)])
    assert empty[PORT_FIELDS[0].name] == (0.5, 0.5)
    assert training_ranges([]) == {}


def test_the_origin_of_a_run_on_drawn_fleets_is_the_days_that_it_trained_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for module in (days_of_run, origin):
        monkeypatch.setattr(module, "FLEET_DAYS", 3)
    told = RunSettings(
        scenario="home-texas", overrides=("ports=3", "interval_minutes=60"), updates=1, train_days=3, fleets=2, seed=4
    )
    RunFolder(tmp_path).begin({"settings": told.model_dump(mode="json")}, "")
    found = origin.origin_of(tmp_path, {})
    assert found.trained_on == ("home-texas", "home-california", "depot-workplace")
    banks = days_of_run.training_banks(told, days_of_run.training_days(told)).banks
    assert [len(days) for days in found.days] == [3, 2, 2]
    for days, bank in zip(found.days, banks, strict=True):
        for ours, trained in zip(days, bank.scenarios, strict=False):
            np.testing.assert_array_equal(ours.import_price_usd_per_kwh, trained.import_price_usd_per_kwh)
            assert ours.n_ports == trained.n_ports


def test_a_specialist_is_told_to_be_of_its_own_preset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(origin, "DAYS_EACH", 1)
    asked = {"scenario": "home-texas", "overrides": ["ports=3"], "fleets": 1, "specialist": True, "train_days": 1}
    RunFolder(tmp_path).begin({"settings": asked}, "")
    found = origin.origin_of(tmp_path, {})
    assert (found.trained_on, [len(days) for days in found.days]) == (("home-texas",), [1, 1])


@pytest.mark.slow
def test_a_network_that_fails_is_not_exported(tmp_path: Path) -> None:
    with pytest.raises(ParityError, match="nan away"):
        export_network(network(spread=float("nan")), tmp_path / "bundle")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_is_taken_is_refused_before_the_work(bundle: Path) -> None:
    with pytest.raises(ConfigError, match="holds a bundle already"):
        export_network(network(), bundle)


class TestCommand:
    def run(self, *arguments: Any) -> int:
        return main(["export", *map(str, arguments)])

    @pytest.mark.slow
    def test_a_run_becomes_a_bundle(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        run = tmp_path / "run"
        save_network(network(), run / "network.pt", {"update": 7})
        told = {"schema": 1, "run_hash": "h1", "settings": {"scenario": "home-texas", "overrides": ["ports=3"]}}
        (run / "run.json").write_text(json.dumps(told))
        rows = [{"update": 3, "net_cost_usd": 9.0}, {"update": 7, "net_cost_usd": 8.0, "captured_percent": 90.5}]
        (run / "validations.json").write_text(json.dumps({"validations": rows}))
        assert self.run(run, "--out", tmp_path / "bundle") == 0
        manifest = load_bundle(tmp_path / "bundle").manifest
        assert (manifest.trained_on, manifest.settings_hash, manifest.run_id) == (("home-texas",), "h1", "run")
        assert manifest.evaluation == {"validation days of home-texas": {"net_cost_usd": 8.0, "captured_percent": 90.5}}
        assert "graph and network agree to" in capsys.readouterr().out

    def test_mistakes_are_told_in_a_sentence(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (tmp_path / "text.pt").write_text("x")
        for place in (tmp_path / "nothing", tmp_path / "text.pt"):
            assert self.run(place, "--out", tmp_path / "bundle") == 2
        (tmp_path / "full").mkdir()
        (tmp_path / "full" / "mine").write_text("mine")
        assert self.run(tmp_path / "text.pt", "--out", tmp_path / "full") == 2
        said = capsys.readouterr().err
        assert "no such file" in said
        assert "is no file of weights" in said
        assert "holds other files" in said
