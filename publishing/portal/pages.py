"""The pages of the site, rendered with Jinja2 from the catalogue.

Every value is escaped, and cleaned of control and invisible characters on its way into a page:
names of places and devices were typed by strangers. Pages need no JavaScript.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from lakehouse.contracts.product import Text
from lakehouse.verdicts import Check, Verdict
from publishing import words
from publishing.addresses import Addresses
from publishing.catalogue import TITLE, Catalogue, Dataset
from publishing.documents import changelog
from publishing.documents.cards import citation
from publishing.explanations import mark, meaning, outcome, summary
from publishing.portal.charts import chart
from publishing.portal.llms import llms_text
from publishing.releases.changes import Changes
from publishing.releases.manifest import SIGNATURE, Column, Release
from publishing.releases.withdrawals import Withdrawal
from publishing.terms import FREQUENCIES, LICENCES, THEMES, TYPE_NAMES

TEMPLATES: Final = Path(__file__).parent / "templates"
STYLE: Final = Path(__file__).parent / "static" / "style.css"
_PREVIEW_ROWS: Final = 20
_CELL_LIMIT: Final = 120
_NUMBERS: Final = ("integer", "number")
_USES: Final = {
    "csv": Text(sv="För kalkylblad och de flesta program.", en="For spreadsheets and most tools."),
    "parquet": Text(sv="För analysverktyg och stora filer.", en="For analysis tools, and compact."),
}

History = Mapping[str, Sequence[Release]]
"""Releases of each product that its page tells of, newest first."""


def render_pages(catalogue: Catalogue, history: History, base_url: str) -> dict[str, str]:
    """Every text of the site by its path.

    Args:
        catalogue: What is shown.
        history: Releases to list for each product.
        base_url: Public address of the site.
    """
    where = Addresses(base_url)
    items = [
        _item(dataset, history[dataset.release.product], where) for dataset in catalogue.datasets
    ]
    site = {
        "title": catalogue.title,
        "description": catalogue.description,
        "has_catalogue": bool(catalogue.datasets),
    }
    html = _environment()
    index = html.get_template("index.html")
    pages = {
        "index.html": index.render(site=site, datasets=items, root=""),
        "llms.txt": llms_text(catalogue, base_url),
        "style.css": STYLE.read_text(encoding="utf-8"),
    }
    template = html.get_template("dataset.html")
    for item in items:
        path = f"dataset/{item['id']}/index.html"
        pages[path] = template.render(site=site, item=item, root="../../")
    return pages


@dataclass(frozen=True, slots=True)
class Gone:
    """An open product that was withdrawn, and why."""

    title: Text
    withdrawal: Withdrawal


def render_gone(products: Mapping[str, Gone], *, has_catalogue: bool) -> dict[str, str]:
    """What is left of withdrawn products: a page that says why, and what a web server needs.

    `gone.json` lists the addresses that must be answered with 410, so that harvesters forget them.

    Args:
        products: The products, by id.
        has_catalogue: Whether other products are shown, and so a catalogue.
    """
    if not products:
        return {}
    template = _environment().get_template("withdrawn.html")
    site = {"title": TITLE, "has_catalogue": has_catalogue}
    pages = {
        f"dataset/{product}/index.html": template.render(
            site=site,
            root="../../",
            title=gone.title,
            day=words.day(gone.withdrawal.at),
            reason=Text(sv=gone.withdrawal.reason, en=gone.withdrawal.reason_en),
        )
        for product, gone in products.items()
    }
    paths = [f"/{kind}/{product}/" for product in products for kind in ("dataset", "files")]
    pages["gone.json"] = json.dumps({"status": 410, "paths": sorted(paths)}, indent=1) + "\n"
    return pages


def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_cleaned,
    )


def _cleaned(value: object) -> object:
    if isinstance(value, str) and not isinstance(value, Markup):
        return words.plain(value)
    return value


def _item(dataset: Dataset, history: Sequence[Release], where: Addresses) -> dict[str, Any]:
    release, publication = dataset.release, dataset.release.publication
    period = release.period
    return {
        "id": release.product,
        "title": dataset.title,
        "description": dataset.description,
        "keywords": dataset.keywords,
        "limitations": publication.limitations,
        "theme": THEMES[publication.theme],
        "frequency": FREQUENCIES[publication.frequency],
        "licence": LICENCES[publication.licence],
        "attribution": publication.attribution,
        "publisher": release.publisher.name,
        "contact": publication.contact,
        "approval": release.approval,
        "sharing": _sharing(release),
        "is_signed": (release.folder / SIGNATURE).is_file(),
        "version": release.version,
        "issued": words.moment(release.issued),
        "period": tuple(words.moment(end) for end in period) if period else None,
        "until": words.moment(period[1]) if period else None,
        "rows": words.number(release.rows, "sv"),
        "downloads": [
            {
                "name": one.file.name,
                "form": one.format.name,
                "size": words.size(one.file.bytes, "sv"),
                "rows": words.number(one.file.rows or 0, "sv"),
                "use": _USES[one.form],
            }
            for one in dataset.distributions
        ],
        "csv_url": where.file(release.product, release.file(".csv").name),
        "parquet_url": where.file(release.product, release.file(".parquet").name),
        "columns": [_column(column) for column in release.columns],
        "chart": chart(release),
        "preview": _preview(release),
        "questions": [
            {"text": one.question, "sql": " ".join(one.sql.split())}
            for one in publication.questions
        ],
        "citation": Text(sv=citation(release, "sv", where), en=citation(release, "en", where)),
        "history": [_version(one, history[0]) for one in history],
        "has_changes": release.changes is not None,
        **_quality(release.verdict),
    }


def _sharing(release: Release) -> list[Text]:
    """The rules of the sharing policy that concerned a release, as they were answered."""
    outcomes = release.decision.outcomes if release.decision else ()
    return [Text(sv=outcome.sv, en=outcome.en) for outcome in outcomes if outcome.holds]


def _quality(verdict: Verdict) -> dict[str, Any]:
    return {
        "quality": summary(verdict),
        "mark": mark(verdict),
        "badge": "good" if all(check.passed for check in verdict.checks) else "warn",
        "audited": words.moment(verdict.audited_at),
        "checks": [_check(check) for check in verdict.checks],
    }


def _check(check: Check) -> dict[str, Any]:
    severity = "warn" if check.severity == "warning" else "bad"
    return {
        "outcome": outcome(check),
        "badge": "good" if check.passed else severity,
        "meaning": meaning(check),
        "column": check.column,
        "expected": check.expected,
        "observed": check.observed,
    }


def _column(column: Column) -> dict[str, Any]:
    return {
        "name": column.name,
        "label": column.label,
        "description": column.description,
        "symbol": column.symbol,
        "type": TYPE_NAMES[column.type],
        "is_key": column.is_key,
        "is_number": column.type in _NUMBERS,
    }


def _version(release: Release, newest: Release) -> dict[str, Any]:
    return {
        "version": release.version,
        "day": words.day(release.issued),
        "rows": words.number(release.rows, "sv"),
        "is_current": release.number == newest.number,
        "is_first": release.number == 1,
        "changes": _changes(release.changes) if release.changes else None,
    }


def _changes(changes: Changes) -> dict[str, Any]:
    counts = (changes.added, changes.changed, changes.removed)
    return {
        "counts": [words.number(count, "sv") for count in counts],
        "days": changes.span,
        "contract": (changes.contract_before, changes.contract_after)
        if changes.contract_before != changes.contract_after
        else None,
        "columns": [
            {"name": one.column, "event": changelog.event_told(one)} for one in changes.columns
        ],
    }


def _preview(release: Release) -> list[list[str]]:
    path = release.folder / release.file(".csv").name
    with path.open(encoding="utf-8", newline="") as file:
        rows = islice(csv.reader(file), 1, _PREVIEW_ROWS + 1)
        return [[words.plain(cell, _CELL_LIMIT) for cell in row] for row in rows]
