"""Assets beyond the gate: audits as checks, releases, and what is published from them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import dagster as dg

from lakehouse.contracts import Contracts, ProductContract
from lakehouse.decisions import Decision
from lakehouse.errors import ReleaseRefused
from lakehouse.metering import Purpose
from lakehouse.settings import Settings
from lakehouse.verdicts import Verdict
from orchestration.judgement import audited, decided
from orchestration.metering import Metering
from publishing import letters
from publishing.letters.channels import deliver
from publishing.making.release import release
from publishing.portal.site import build_site
from publishing.releases.manifest import Release, newest_release

_MARKS: Final = {True: "✓", False: "✗", None: "–"}
"""How what came of a rule is shown: it holds, it speaks against sharing, it does not concern."""


def release_key(product_id: str) -> dg.AssetKey:
    """The asset of a product's newest release."""
    return dg.AssetKey(["release", product_id])


def audit_check(
    settings: Settings, contracts: Contracts, product: ProductContract
) -> dg.AssetChecksDefinition:
    """The audit of a product, as a blocking check on the model its rows come from."""

    @dg.asset_check(
        asset=dg.AssetKey(["gold", product.model]),
        name=f"audit_{product.id}",
        blocking=True,
        description=f"Great Expectations suite of the contract {product.id} {product.version}.",
    )
    def _audit(meter: Metering) -> dg.AssetCheckResult:
        with meter.measure(Purpose("audit", "product", product.id)):
            verdict = audited(settings, contracts, product)
        _tell(settings, letters.of_audit(settings, product, verdict))
        return dg.AssetCheckResult(
            passed=verdict.passed,
            description="; ".join(verdict.reasons) or f"{len(verdict.checks)} checks passed",
            metadata={
                "rows": verdict.rows,
                "delta_version": verdict.delta_version,
                "contract_version": verdict.contract_version,
                "checks": dg.MetadataValue.md(_table(verdict)),
            },
        )

    return _audit


def sharing_check(
    settings: Settings, contracts: Contracts, product: ProductContract
) -> dg.AssetChecksDefinition:
    """Whether a product may be shared with its audience, as a blocking check beside its audit."""

    @dg.asset_check(
        asset=dg.AssetKey(["gold", product.model]),
        name=f"sharing_{product.id}",
        blocking=True,
        description=f"The sharing policy on {product.id} {product.version}, "
        f"{product.publication.audience}: classification, law, the information owner's decision.",
    )
    def _sharing(meter: Metering) -> dg.AssetCheckResult:
        with meter.measure(Purpose("sharing", "product", product.id)):
            decision = decided(settings, contracts, product)
        _tell(settings, letters.of_sharing(settings, product, decision))
        objections = " ".join(outcome.en for outcome in decision.objections)
        return dg.AssetCheckResult(
            passed=decision.allowed,
            description=objections or f"may be shared: {decision.audience}",
            metadata={
                "audience": decision.audience,
                "delta_version": decision.delta_version,
                "valid_until": decision.valid_until or "until further notice",
                "rules": dg.MetadataValue.md(_rules(decision)),
            },
        )

    return _sharing


def release_asset(
    settings: Settings, contracts: Contracts, product: ProductContract
) -> dg.AssetsDefinition:
    """The newest release of a product; refused if its audit failed, and then the last one stays."""

    @dg.asset(
        key=release_key(product.id),
        deps=[dg.AssetKey(["gold", product.model])],
        group_name="release",
        kinds={"parquet", "csv"},
        owners=[product.publication.contact.email],
        description=product.publication.title.en,
        tags={"domain": product.domain, "audience": product.publication.audience},
    )
    def _release(meter: Metering) -> dg.MaterializeResult[None]:
        try:
            with meter.measure(Purpose("release", "product", product.id)) as spent:
                made = release(settings, contracts, product.id)
                if made.is_new:
                    spent.rows = made.rows
                    spent.bytes = sum(file.bytes for file in made.files)
        except ReleaseRefused as refusal:
            last = newest_release(settings, product.id)
            kept = f"release {last.number} stays" if last else "nothing is published"
            raise dg.Failure(f"{refusal} ({kept})", allow_retries=False) from refusal
        return dg.MaterializeResult(metadata=_of_release(made))

    return _release


def portal_assets(settings: Settings, contracts: Contracts) -> Sequence[dg.AssetsDefinition]:
    """The catalogue, the site and the assistants' database, published in one swap."""
    releases = [release_key(product_id) for product_id in contracts.products]

    @dg.multi_asset(
        name="build_site",  # a job is called portal, and an op may not share its name
        specs=[
            dg.AssetSpec(
                ["portal", "catalogue"],
                deps=releases,
                group_name="portal",
                kinds={"rdf"},
                description="DCAT-AP-SE and DCAT-AP 3 records of every released open product.",
            ),
            dg.AssetSpec(
                ["portal", "site"],
                deps=[dg.AssetKey(["portal", "catalogue"])],
                group_name="portal",
                kinds={"html"},
                description="Pages and files, complete or not at all.",
            ),
            dg.AssetSpec(
                ["ai", "knowledge"],
                deps=releases,
                group_name="ai",
                kinds={"markdown", "duckdb"},
                description="Cards, citations and the database that assistants ask.",
            ),
        ],
    )
    def _portal(meter: Metering) -> Iterator[dg.MaterializeResult[None]]:
        with meter.measure(Purpose("portal", "platform", "portal")) as whole:
            site = build_site(settings, contracts)
        meter.divide(whole, {Purpose("portal", "product", one): 1 for one in site.releases})
        shown = {
            "site": dg.MetadataValue.path(str(site.folder)),
            "changed": dg.MetadataValue.bool(site.is_new),
        }
        for key in (["portal", "catalogue"], ["portal", "site"], ["ai", "knowledge"]):
            yield dg.MaterializeResult(key, metadata=shown)

    return [_portal]


def _of_release(made: Release) -> dict[str, dg.MetadataValue]:
    return {
        "dagster/row_count": dg.MetadataValue.int(made.rows),
        "release": dg.MetadataValue.int(made.number),
        "delta_version": dg.MetadataValue.int(made.delta_version),
        "is_new": dg.MetadataValue.bool(made.is_new),
        "folder": dg.MetadataValue.path(str(made.folder)),
    }


def _tell(settings: Settings, letter: letters.Letter | None) -> None:
    """Let the information owner know; that a letter was not sent keeps nothing from running."""
    problem = deliver(settings, letter) if letter else None
    if problem:
        dg.get_dagster_logger().warning(problem)


def _rules(decision: Decision) -> str:
    lines = ["| regel | grund | | |", "| --- | --- | --- | --- |"]
    lines += [
        f"| {outcome.rule} | {outcome.law} | {_MARKS[outcome.holds]} | {outcome.sv} |"
        for outcome in decision.outcomes
    ]
    return "\n".join(lines)


def _table(verdict: Verdict) -> str:
    lines = ["| column | expected | found | |", "| --- | --- | --- | --- |"]
    lines += [
        f"| {check.column or '(table)'} | {check.expected} | {check.observed} "
        f"| {'✓' if check.passed else '✗ ' + check.severity} |"
        for check in verdict.checks
    ]
    return "\n".join(lines)
