"""The loader of settings: strict, and clear about what is wrong."""

from __future__ import annotations

import datetime
import math
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, model_validator

from ebbflow.configs import load
from ebbflow.configs.dump import resolved, to_json, to_toml
from ebbflow.configs.load import ConfigError, config_hash, load_model, load_toml, preset_names, preset_path
from ebbflow.configs.messages import unknown_name


class Strict(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class Feeder(Strict):
    import_limit_kw: float = Field(100.0, gt=0)
    export_limit_kw: float = 50.0


class Fixed(Strict):
    kind: Literal["fixed"]
    price_usd_per_kwh: float


class Hourly(Strict):
    kind: Literal["hourly"]
    prices_usd_per_kwh: tuple[float, float]


class Site(Strict):
    name: str
    title: str | None = None
    feeder: Feeder = Feeder(export_limit_kw=7.0)
    price: Annotated[Fixed | Hourly, Field(discriminator="kind")] = Fixed(kind="fixed", price_usd_per_kwh=0.3)
    sites: tuple[Feeder, ...] = ()
    effective: datetime.date | None = None
    count: int = 25
    cap_usd_per_kwh: float = math.inf
    by_name: dict[str, Feeder] = {}

    @model_validator(mode="after")
    def _named(self) -> Site:
        if self.name == "nobody":
            raise ValueError("name is 'nobody'; give the site a name of its own")
        return self


TEXT = """
name = "depot"
effective = 2025-06-01

[price]
kind = "hourly"
prices_usd_per_kwh = [0.2, 0.4]

[[sites]]
import_limit_kw = 80

[by_name.north]
import_limit_kw = 60
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "depot.toml"
    path.write_text(TEXT)
    return path


def refusal(file: Path, *overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_model(Site, "scenarios", file, overrides)
    return str(caught.value)


class TestLoading:
    def test_reads_every_kind_of_value(self, file: Path) -> None:
        site = load_model(Site, "scenarios", file)
        assert site.effective == datetime.date(2025, 6, 1)
        assert site.price == Hourly(kind="hourly", prices_usd_per_kwh=(0.2, 0.4))
        assert site.sites == (Feeder(import_limit_kw=80.0),)
        assert site.by_name == {"north": Feeder(import_limit_kw=60.0)}

    def test_text_is_no_number(self, file: Path) -> None:
        file.write_text('name = "x"\ncount = "25"')
        assert refusal(file) == f"{file}: count is '25'; it should be a valid integer"

    def test_an_unknown_setting_offers_the_nearest(self, file: Path) -> None:
        file.write_text('name = "x"\n[feeder]\nimport_limit_kwh = 3')
        expected = "unknown setting 'feeder.import_limit_kwh'; did you mean 'feeder.import_limit_kw'?"
        assert expected in refusal(file)

    def test_an_unknown_setting_in_a_list_and_in_a_named_table(self, file: Path) -> None:
        file.write_text('name = "x"\n[[sites]]\nlimit_kw = 3\n[by_name.a]\nimportlimit = 3')
        message = refusal(file)
        assert message.startswith("2 settings are wrong:")
        assert "did you mean 'sites.0.import_limit_kw'" in message
        assert "did you mean 'by_name.a.import_limit_kw'" in message

    def test_a_union_member_is_named_as_the_user_wrote_it(self, file: Path) -> None:
        file.write_text('name = "x"\n[price]\nkind = "fixed"\nprice_usd_per_kw = 3')
        message = refusal(file)
        assert "price.price_usd_per_kwh is missing" in message
        assert "did you mean 'price.price_usd_per_kwh'" in message
        assert "price.fixed" not in message

    def test_a_wrong_kind_lists_the_kinds(self, file: Path) -> None:
        assert "price.kind is 'daily'; it should be one of 'fixed', 'hourly'" in refusal(file, "price.kind=daily")

    def test_the_models_own_rule_is_told_as_it_is(self, file: Path) -> None:
        assert refusal(file, "name=nobody").endswith("name is 'nobody'; give the site a name of its own")

    def test_a_missing_setting_is_named(self, file: Path) -> None:
        file.write_text("count = 3")
        assert "name is missing" in refusal(file)


class TestFiles:
    def test_a_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match=r"nothing\.toml: no such file"):
            load_toml(tmp_path / "nothing.toml")

    def test_bad_toml_names_the_line(self, file: Path) -> None:
        file.write_text('name = "x"\ncount = = 3')
        with pytest.raises(ConfigError, match=r"depot\.toml: not valid TOML: .*line 2"):
            load_toml(file)

    def test_not_text(self, file: Path) -> None:
        file.write_bytes(b'name = "\xff"')
        with pytest.raises(ConfigError, match="UTF-8"):
            load_toml(file)

    def test_a_folder(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="cannot be read"):
            load_toml(tmp_path)


class TestPresets:
    @pytest.fixture(autouse=True)
    def presets(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "scenarios").mkdir()
        for name in ("home-texas", "home-california"):
            (tmp_path / "scenarios" / f"{name}.toml").write_text(f'name = "{name}"')
        (tmp_path / "__pycache__").mkdir()
        monkeypatch.setattr(load, "PRESETS", tmp_path)

    def test_names_are_sorted(self) -> None:
        assert preset_names("scenarios") == ["home-california", "home-texas"]

    def test_a_preset_loads_by_name(self) -> None:
        assert load_model(Site, "scenarios", "home-texas").name == "home-texas"

    def test_an_unknown_preset_offers_the_nearest(self) -> None:
        with pytest.raises(ConfigError, match="unknown scenario preset 'Home_Texas'; did you mean 'home-texas'"):
            preset_path("scenarios", "Home_Texas")

    def test_an_unknown_kind(self) -> None:
        with pytest.raises(ConfigError, match=r"did you mean 'scenarios'.*valid: scenarios\)"):
            preset_names("scenario")

    def test_a_preset_is_named_in_messages(self) -> None:
        with pytest.raises(ConfigError, match=r"--set cont: unknown setting 'cont'; did you mean 'count'"):
            load_model(Site, "scenarios", "home-texas", ["cont=3"])


class TestOverrides:
    @pytest.mark.parametrize(
        ("override", "path", "value"),
        [
            ("feeder.import_limit_kw=120", ("feeder", "import_limit_kw"), 120.0),
            ("feeder.import_limit_kw = 1e2", ("feeder", "import_limit_kw"), 100.0),
            ("name=home-texas", ("name",), "home-texas"),
            ("name='25'", ("name",), "25"),
            ("title=a = b", ("title",), "a = b"),
            ("effective=2026-01-02", ("effective",), datetime.date(2026, 1, 2)),
            ("price.prices_usd_per_kwh=[1, 2]", ("price", "prices_usd_per_kwh"), (1.0, 2.0)),
            ("cap_usd_per_kwh=inf", ("cap_usd_per_kwh",), math.inf),
            ("by_name.south.export_limit_kw=4", ("by_name", "south"), Feeder(export_limit_kw=4.0)),
            ("feeder={export_limit_kw=9}", ("feeder",), Feeder(export_limit_kw=9.0)),
        ],
    )
    def test_sets_one_value(self, file: Path, override: str, path: tuple[str, ...], value: object) -> None:
        found: Any = load_model(Site, "scenarios", file, [override])
        for name in path:
            found = found[name] if isinstance(found, dict) else getattr(found, name)
        assert found == value

    def test_sets_an_entry_of_a_list(self, file: Path) -> None:
        site = load_model(Site, "scenarios", file, ["sites.0.export_limit_kw=1", "price.prices_usd_per_kwh.1=9"])
        assert site.sites == (Feeder(import_limit_kw=80.0, export_limit_kw=1.0),)
        assert site.price == Hourly(kind="hourly", prices_usd_per_kwh=(0.2, 9.0))

    def test_keeps_the_other_defaults_of_a_table_that_the_file_leaves_out(self, file: Path) -> None:
        site = load_model(Site, "scenarios", file, ["feeder.import_limit_kw=120"])
        assert site.feeder == Feeder(import_limit_kw=120.0, export_limit_kw=7.0)

    def test_the_last_of_two_wins(self, file: Path) -> None:
        assert load_model(Site, "scenarios", file, ["count=3", "count=4"]).count == 4

    @pytest.mark.parametrize(
        ("override", "message"),
        [
            (
                "feeder.import_limit_kw=-3",
                "--set feeder.import_limit_kw: feeder.import_limit_kw is -3; it should be",
            ),
            ("feeder.import_limt_kw=3", "did you mean 'feeder.import_limit_kw'"),
            ("feedr.import_limit_kw=3", "--set feedr: unknown setting 'feedr'; did you mean 'feeder'"),
            ("count", "write it as dotted.key=value"),
            (".count=3", "write it as dotted.key=value"),
            ("name.first=x", "'name' holds the value 'depot', not a table"),
            ("sites.1.import_limit_kw=3", "write a number from 0 to 0"),
            ("sites.first.import_limit_kw=3", "'first' is no entry of this list"),
            ("feeder={import_limit_kw=", "the value is not valid TOML"),
            ("feeder=3", "feeder is 3; it should be a table"),
            ("count=3\nname='x'", "count is"),
        ],
    )
    def test_refuses(self, file: Path, override: str, message: str) -> None:
        assert message in refusal(file, override)


texts = st.text(st.characters(codec="utf-8"))
numbers = st.floats(allow_nan=False)
feeders = st.builds(Feeder, import_limit_kw=st.floats(min_value=1e-9, allow_infinity=False), export_limit_kw=numbers)
prices = st.builds(Fixed, kind=st.just("fixed"), price_usd_per_kwh=numbers) | st.builds(
    Hourly, kind=st.just("hourly"), prices_usd_per_kwh=st.tuples(numbers, numbers)
)
sites = st.builds(
    Site,
    name=texts.filter(lambda name: name != "nobody"),
    title=st.none() | texts,
    feeder=feeders,
    price=prices,
    sites=st.lists(feeders, max_size=3).map(tuple),
    effective=st.none() | st.dates(),
    count=st.integers(min_value=-(2**60), max_value=2**60),
    cap_usd_per_kwh=numbers,
    by_name=st.dictionaries(texts, feeders, max_size=3),
)


class TestDump:
    @given(site=sites)
    def test_toml_reads_back_to_an_equal_model(self, tmp_path_factory: pytest.TempPathFactory, site: Site) -> None:
        file = tmp_path_factory.getbasetemp() / "round.toml"
        file.write_text(to_toml(site), encoding="utf-8", newline="")
        again = load_model(Site, "scenarios", file)
        assert again == site
        assert config_hash(again) == config_hash(site)

    def test_json_holds_the_defaults(self, file: Path) -> None:
        assert '"export_limit_kw": 7.0' in to_json(load_model(Site, "scenarios", file))

    def test_the_hash_ignores_order_and_spelt_out_defaults(self, tmp_path: Path) -> None:
        one, two, three = (tmp_path / f"{name}.toml" for name in ("one", "two", "three"))
        one.write_text('name = "x"\n')
        two.write_text('count = 25\nname = "x"\n')
        three.write_text('count = 26\nname = "x"\n')
        first, same, other = (config_hash(load_model(Site, "scenarios", path)) for path in (one, two, three))
        assert first == same != other
        assert len(first) == 16

    def test_infinity_and_no_value_differ(self) -> None:
        assert resolved(Site(name="x"))["cap_usd_per_kwh"] == math.inf
        assert config_hash(Site(name="x")) != config_hash(Site(name="x", cap_usd_per_kwh=1.0))


class TestUnknownName:
    def test_spelling_and_separators_do_not_matter(self) -> None:
        assert "did you mean 'least_laxity'?" in unknown_name("policy", "Least-Laxty", ["least_laxity", "round_robin"])

    def test_nothing_near_lists_the_valid_names(self) -> None:
        message = unknown_name("policy", "zzz", ["b", "a"])
        assert message == "unknown policy 'zzz' (valid: a, b)"

    def test_nothing_to_choose_from(self) -> None:
        assert unknown_name("policy", "x", []) == "unknown policy 'x'; there is none here"
