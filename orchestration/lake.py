"""Opening a lake: its contracts, checked against everything that would run them."""

from __future__ import annotations

from ingestion import require_known
from lakehouse.contracts import Contracts, load_contracts
from lakehouse.errors import ContractError, Problem, SettingsError
from lakehouse.settings import PROJECT, Settings

_MARKER = "contracts.txt"


def open_lake(settings: Settings) -> Contracts:
    """Read the contracts of a lake, before anything runs.

    Raises:
        ContractError: A contract has a mistake, or names a protocol, format or model that there
            is not.
        SettingsError: The home folder belongs to another contracts folder.
    """
    contracts = load_contracts(settings.contracts)
    if settings.server:
        contracts = contracts.at(settings.server)
    problems: list[Problem] = []
    for source in contracts.sources.values():
        try:
            require_known(source)
        except ContractError as error:
            problems += error.problems
    models = {path.stem for path in (PROJECT / "dbt" / "models" / "gold").rglob("*.sql")}
    problems += [
        Problem(
            f"{product.path}: schema[0].physicalName",
            f"there is no gold model '{product.model}'",
            f"Known models: {', '.join(sorted(models))}.",
        )
        for product in contracts.products.values()
        if product.model not in models
    ]
    if problems:
        raise ContractError.of(problems)
    _require_same_contracts(settings)
    return contracts


def mark_lake(settings: Settings) -> None:
    """Write down in the home folder which contracts folder it belongs to."""
    (settings.home / _MARKER).write_text(f"{settings.contracts}\n", encoding="utf-8")


def _require_same_contracts(settings: Settings) -> None:
    marker = settings.home / _MARKER
    if not marker.is_file():
        return
    owner = marker.read_text(encoding="utf-8").strip()
    if owner != str(settings.contracts):
        raise SettingsError(
            Problem(
                str(settings.home),
                f"this lake belongs to the contracts in {owner}, not to {settings.contracts}",
                "Name another home with --home or SJOSTAD_HOME; if the folder was only moved, "
                f"correct {marker}.",
            )
        )
