"""Where this lake lives and how it behaves: environment variables `SJOSTAD_*`, nothing else.

One home folder holds everything that is made at run time. The project's own contracts use
`.sjostad/`; another contracts folder gets a lake of its own inside it, because one lake
answers to one set of contracts.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Self

from lakehouse.errors import Problem, SettingsError

PROJECT = Path(__file__).resolve().parent.parent
"""The checkout: contracts/, dbt/ and workspace.yaml stand here."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one lake.

    Attributes:
        home: Folder of everything made at run time.
        contracts: Folder with sources/, products/ and vocabulary/.
        inbox: Folder that suppliers deliver to; read, never changed.
        base_url: Public address that the published site will have; no trailing slash.
        daily_from: Go-live date. Observations from here on have a partition for each UTC day,
            older history one for each year. Must be 1 January.
        patience_s: Seconds to wait for another process's lock before giving up.
        keep_days: Days that older versions of tables stay readable for.
        server: Which of a contract's servers to fetch from, such as `live`; a contract without
            one of that name, or all of them when empty, uses its first.
        actor: Role or service that the audit log names; a pseudonym of the user when empty.
        signing_key: OpenSSH file of the key that signs; a key of the home's own when None.
        trusted_keys: File of keys whose signatures count; the home's own when None.
        letters_to: Channel that letters to information owners go by; only kept when empty.
    """

    home: Path
    contracts: Path
    inbox: Path
    base_url: str
    daily_from: date
    patience_s: float
    server: str = ""
    keep_days: int = 30
    actor: str = ""
    signing_key: Path | None = None
    trusted_keys: Path | None = None
    letters_to: str = ""

    @classmethod
    def from_environment(
        cls,
        environment: Mapping[str, str] | None = None,
        *,
        contracts: Path | None = None,
        inbox: Path | None = None,
        home: Path | None = None,
        server: str | None = None,
    ) -> Self:
        """Read the settings.

        Args:
            environment: Variables to read; the process's own when omitted.
            contracts: Overrides `SJOSTAD_CONTRACTS`.
            inbox: Overrides `SJOSTAD_INBOX`.
            home: Overrides `SJOSTAD_HOME`.
            server: Overrides `SJOSTAD_SERVER`.

        Raises:
            SettingsError: A value cannot be understood.
        """
        env = os.environ if environment is None else environment
        folder = Path(contracts or env.get("SJOSTAD_CONTRACTS") or PROJECT / "contracts").resolve()
        where = Path(home or env.get("SJOSTAD_HOME") or default_home(folder)).resolve()
        return cls(
            home=where,
            contracts=folder,
            inbox=Path(inbox or env.get("SJOSTAD_INBOX") or where / "inbox").resolve(),
            base_url=env.get("SJOSTAD_BASE_URL", "https://data.stockholm.example").rstrip("/"),
            daily_from=_first_of_january(env.get("SJOSTAD_DAILY_FROM", "2026-01-01")),
            patience_s=_seconds(env.get("SJOSTAD_PATIENCE_S", "30")),
            server=server or env.get("SJOSTAD_SERVER", ""),
            keep_days=_days(env.get("SJOSTAD_KEEP_DAYS", "30")),
            actor=env.get("SJOSTAD_ACTOR", ""),
            signing_key=_file(env.get("SJOSTAD_SIGNING_KEY", "")),
            trusted_keys=_file(env.get("SJOSTAD_TRUSTED_KEYS", "")),
            letters_to=env.get("SJOSTAD_LETTERS", ""),
        )

    def as_environment(self) -> dict[str, str]:
        """The same settings as variables, for child processes such as dbt."""
        return {
            "SJOSTAD_HOME": str(self.home),
            "SJOSTAD_CONTRACTS": str(self.contracts),
            "SJOSTAD_INBOX": str(self.inbox),
            "SJOSTAD_BASE_URL": self.base_url,
            "SJOSTAD_DAILY_FROM": self.daily_from.isoformat(),
            "SJOSTAD_PATIENCE_S": str(self.patience_s),
            "SJOSTAD_SERVER": self.server,
            "SJOSTAD_KEEP_DAYS": str(self.keep_days),
            "SJOSTAD_ACTOR": self.actor,
            "SJOSTAD_LETTERS": self.letters_to,
            "SJOSTAD_SIGNING_KEY": str(self.signing_key or ""),
            "SJOSTAD_TRUSTED_KEYS": str(self.trusted_keys or ""),
        }

    @property
    def landing(self) -> Path:
        """Raw bytes by sha-256, kept for replay."""
        return self.home / "landing"

    @property
    def lake(self) -> Path:
        """The Delta tables."""
        return self.home / "lake"

    @property
    def audits(self) -> Path:
        """Verdicts, one file for each product, Delta version and contract."""
        return self.home / "audits"

    @property
    def decisions(self) -> Path:
        """Decisions of the sharing policy, one file for each product, Delta version and inputs."""
        return self.home / "decisions"

    @property
    def letters(self) -> Path:
        """Letters to information owners."""
        return self.home / "letters"

    @property
    def releases(self) -> Path:
        """Immutable numbered releases of products."""
        return self.home / "releases"

    @property
    def site(self) -> Path:
        """The published site: a link to the newest complete build."""
        return self.home / "site"

    @property
    def dagster_home(self) -> Path:
        """Dagster's own state (runs, events, schedules)."""
        return self.home / "dagster"

    @property
    def locks(self) -> Path:
        """Lock files of work in progress."""
        return self.home / "locks"

    @property
    def audit_log(self) -> Path:
        """Who did what and when: a file of chained lines for each day, and signed heads."""
        return self.home / "operations" / "audit"

    @property
    def keys(self) -> Path:
        """Keys that were made here, and those that are trusted."""
        return self.home / "keys"


def default_home(contracts: Path) -> Path:
    """The home folder of a contracts folder when none is named."""
    root = PROJECT / ".sjostad"
    return root if contracts == PROJECT / "contracts" else root / "lakes" / contracts.name


def _file(text: str) -> Path | None:
    return Path(text).resolve() if text else None


def _first_of_january(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or (day.month, day.day) != (1, 1):
        raise SettingsError(
            Problem(
                "SJOSTAD_DAILY_FROM",
                f"'{text}' is not the first day of a year",
                "Write the 1 January of the year the lake goes live, such as 2026-01-01.",
            )
        )
    return day


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds >= 0):
        raise SettingsError(
            Problem(
                "SJOSTAD_PATIENCE_S",
                f"'{text}' is not a number of seconds",
                "Write seconds, such as 30.",
            )
        )
    return seconds


def _days(text: str) -> int:
    days = int(text) if text.isascii() and text.isdigit() else 0
    if not 7 <= days <= 30:
        raise SettingsError(
            Problem(
                "SJOSTAD_KEEP_DAYS",
                f"'{text}' is not a number of days from 7 to 30",
                "Write days, such as 30: a table's log is kept for no longer, and work under way "
                "may need the files of a week.",
            )
        )
    return days
