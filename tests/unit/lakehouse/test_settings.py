"""Settings: where a lake lives, from the environment or from a caller."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from lakehouse.errors import SettingsError
from lakehouse.settings import PROJECT, Settings, default_home


def test_nothing_set_is_the_projects_own_lake():
    settings = Settings.from_environment({})
    assert settings.home == PROJECT / ".sjostad"
    assert settings.contracts == PROJECT / "contracts"
    assert settings.inbox == PROJECT / ".sjostad" / "inbox"
    assert settings.daily_from == date(2026, 1, 1)
    assert settings.patience_s == 30
    assert settings.keep_days == 30


def test_everything_made_at_run_time_lies_in_the_home():
    settings = Settings.from_environment({}, home=Path("/srv/lake"))
    for place in ("landing", "lake", "audits", "releases", "site", "dagster_home", "locks"):
        assert getattr(settings, place).parent == Path("/srv/lake")


def test_another_contracts_folder_has_a_lake_of_its_own(tmp_path):
    assert default_home(PROJECT / "contracts") == PROJECT / ".sjostad"
    one, other = (default_home(tmp_path / name) for name in ("one", "other"))
    assert len({one, other, PROJECT / ".sjostad"}) == 3
    assert one == PROJECT / ".sjostad" / "lakes" / "one"


def test_environment_is_read(tmp_path):
    settings = Settings.from_environment(
        {
            "SJOSTAD_HOME": str(tmp_path / "home"),
            "SJOSTAD_CONTRACTS": str(tmp_path / "contracts"),
            "SJOSTAD_INBOX": str(tmp_path / "in"),
            "SJOSTAD_BASE_URL": "https://data.example/",
            "SJOSTAD_DAILY_FROM": "2025-01-01",
            "SJOSTAD_PATIENCE_S": "1.5",
            "SJOSTAD_KEEP_DAYS": "14",
            "SJOSTAD_ACTOR": "nightly",
            "SJOSTAD_SIGNING_KEY": str(tmp_path / "key"),
            "SJOSTAD_TRUSTED_KEYS": str(tmp_path / "trusted"),
        }
    )
    assert settings == Settings(
        home=tmp_path / "home",
        contracts=tmp_path / "contracts",
        inbox=tmp_path / "in",
        base_url="https://data.example",
        daily_from=date(2025, 1, 1),
        patience_s=1.5,
        keep_days=14,
        actor="nightly",
        signing_key=tmp_path / "key",
        trusted_keys=tmp_path / "trusted",
    )


def test_arguments_go_before_the_environment(tmp_path):
    environment = {"SJOSTAD_HOME": "/a", "SJOSTAD_CONTRACTS": "/b", "SJOSTAD_INBOX": "/c"}
    settings = Settings.from_environment(
        environment, home=tmp_path / "h", contracts=tmp_path / "k", inbox=tmp_path / "i"
    )
    found = (settings.home, settings.contracts, settings.inbox)
    assert found == (tmp_path / "h", tmp_path / "k", tmp_path / "i")


def test_a_child_process_gets_the_same_settings(tmp_path):
    settings = Settings.from_environment(
        {
            "SJOSTAD_DAILY_FROM": "2024-01-01",
            "SJOSTAD_PATIENCE_S": "0.5",
            "SJOSTAD_KEEP_DAYS": "7",
            "SJOSTAD_ACTOR": "nightly",
            "SJOSTAD_SIGNING_KEY": "/run/key",
        },
        home=tmp_path,
    )
    assert Settings.from_environment(settings.as_environment()) == settings


@pytest.mark.parametrize("text", ["2026-06-01", "1 januari", "", "2026-13-01"])
def test_go_live_is_a_first_of_january(text):
    with pytest.raises(SettingsError, match=r"SJOSTAD_DAILY_FROM.*first day of a year") as caught:
        Settings.from_environment({"SJOSTAD_DAILY_FROM": text})
    assert "such as 2026-01-01" in str(caught.value)


@pytest.mark.parametrize("text", ["soon", "", "nan", "inf", "-1"])
def test_patience_is_a_number_of_seconds(text):
    """Not-a-number would be waited for without end."""
    with pytest.raises(SettingsError, match="SJOSTAD_PATIENCE_S") as caught:
        Settings.from_environment({"SJOSTAD_PATIENCE_S": text})
    assert "such as 30" in str(caught.value)


@pytest.mark.parametrize("text", ["6", "31", "", "0", "-8", "a week", "7.5", "²"])
def test_versions_are_kept_for_a_week_to_a_month(text):
    with pytest.raises(SettingsError, match="SJOSTAD_KEEP_DAYS") as caught:
        Settings.from_environment({"SJOSTAD_KEEP_DAYS": text})
    assert "such as 30" in str(caught.value)
