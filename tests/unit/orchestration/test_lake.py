"""A lake is opened only if everything its contracts name is there."""

import shutil

import pytest

from lakehouse.errors import ContractError, SettingsError
from lakehouse.settings import PROJECT, Settings
from orchestration.lake import mark_lake, open_lake


@pytest.fixture
def settings(tmp_path):
    shutil.copytree(PROJECT / "contracts", tmp_path / "contracts")
    return Settings.from_environment({}, contracts=tmp_path / "contracts", home=tmp_path / "home")


def change(settings: Settings, file: str, old: str, new: str) -> None:
    path = settings.contracts / file
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def test_the_shipped_contracts_open(settings):
    assert len(open_lake(settings).sources) == 6
    assert not settings.home.exists()


def test_unknown_protocol_format_and_model_are_all_named(settings):
    change(
        settings, "sources/miljoforvaltningen/miljo_luft.yaml", "protocol: folder", "protocol: fax"
    )
    change(
        settings,
        "sources/stadsledningskontoret/kista_multisensor.yaml",
        "format: chirpstack_v4",
        "format: morse",
    )
    change(
        settings,
        "products/luftkvalitet_timme.yaml",
        "gold.luftkvalitet_timme",
        "gold.luftkvalitet_sekund",
    )
    with pytest.raises(ContractError) as error:
        open_lake(settings)
    message = str(error.value)
    assert "'fax' is no protocol" in message
    assert "'morse' is no format" in message
    assert "no gold model 'luftkvalitet_sekund'" in message
    assert "folder" in message
    assert "chirpstack_v4" in message


def test_a_home_of_other_contracts_is_refused(settings, tmp_path):
    settings.home.mkdir()
    mark_lake(settings)
    open_lake(settings)
    moved = tmp_path / "others"
    shutil.copytree(settings.contracts, moved)
    other = Settings.from_environment({}, contracts=moved, home=settings.home)
    with pytest.raises(SettingsError, match="belongs to the contracts in"):
        open_lake(other)
