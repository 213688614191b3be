"""The catalogue: what is shown to the world, in one model that every serialisation is made from.

It holds the newest release of each product that is open, now and when it was released. A product
whose contract has since been closed disappears; one whose newest audit failed keeps its last good
release.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Final

from lakehouse.contracts import Contracts
from lakehouse.contracts.product import Text, Words
from lakehouse.settings import Settings
from lakehouse.timeline import city_today
from publishing import addresses
from publishing.addresses import Addresses
from publishing.releases.manifest import (
    Release,
    ReleasedFile,
    load_release,
    newest_release,
    shown_numbers,
)
from publishing.terms import FORMATS, FileFormat

CITY: Final = "stockholms_stad"

TITLE: Final = Text(sv="Öppna data om Stockholm", en="Open data about Stockholm")
DESCRIPTION: Final = Text(
    sv="Granskade mätvärden från stadens sensorer, anläggningar och register.",
    en="Audited measurements from the city's sensors, plants and registers.",
)


@dataclass(frozen=True, slots=True)
class Agent:
    """A publisher, described once however many products it has."""

    iri: str
    name: Text
    kind: str
    organisation_number: str


@dataclass(frozen=True, slots=True)
class Contact:
    """Where questions about one dataset go."""

    iri: str
    name: str
    email: str


@dataclass(frozen=True, slots=True)
class Distribution:
    """One downloadable form of a dataset."""

    iri: str
    form: str
    format: FileFormat
    title: Text
    url: str
    file: ReleasedFile
    checksum_iri: str


@dataclass(frozen=True, slots=True)
class Dataset:
    """One open product, as its newest release has it.

    Attributes:
        release: The release everything else is taken from.
        issued: When the first release was made; `release.issued` is when the newest one was.
        publisher: IRI of its agent.
    """

    iri: str
    identifier: str
    title: Text
    description: Text
    keywords: Words
    page: str
    publisher: str
    contact: Contact
    issued: str
    release: Release
    distributions: tuple[Distribution, ...]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Everything that is open, with the agents that answer for it."""

    iri: str
    title: Text
    description: Text
    homepage: str
    publisher: str
    issued: str | None
    modified: str | None
    agents: tuple[Agent, ...]
    datasets: tuple[Dataset, ...]


def open_releases(settings: Settings, contracts: Contracts) -> tuple[Release, ...]:
    """The newest release of each product that is open by its contract of today, in id order.

    A release made while the product was not open is never among them: it has not been decided
    that those rows may be shown. Nor is a product whose decision was taken back or has run out.
    """
    today = city_today()
    found = (
        newest_release(settings, product.id)
        for product in contracts.products.values()
        if product.publication.audience == "open" and _is_approved(contracts, product.id, today)
    )
    return tuple(release for release in found if release and release.publication.audience == "open")


def _is_approved(contracts: Contracts, product_id: str, today: date) -> bool:
    made = contracts.approval(product_id)
    return made is not None and made.holds_on(today)


def build_catalogue(
    settings: Settings, contracts: Contracts, releases: Iterable[Release]
) -> Catalogue:
    """The catalogue of some releases, one for each product."""
    where = Addresses(settings.base_url)
    chosen = tuple(releases)
    datasets = tuple(_dataset(settings, contracts, release, where) for release in chosen)
    publisher = CITY if CITY in contracts.vocabulary.organisations else None
    if publisher is None and chosen:
        publisher = chosen[0].publisher.id
    named = {dataset.release.publisher.id for dataset in datasets} | (
        {publisher} if publisher else set()
    )
    agents = _agents(contracts, sorted(named), where)
    return Catalogue(
        iri=where.catalogue(),
        title=TITLE,
        description=DESCRIPTION,
        homepage=f"{settings.base_url}/index.html",
        publisher=_agent_iri(contracts, publisher, where) if publisher else "",
        issued=min((dataset.issued for dataset in datasets), default=None),
        modified=max((release.issued for release in chosen), default=None),
        agents=agents,
        datasets=datasets,
    )


def _dataset(
    settings: Settings, contracts: Contracts, release: Release, where: Addresses
) -> Dataset:
    publication, product = release.publication, release.product
    first = load_release(settings, product, shown_numbers(settings, product)[0])
    organisation = release.publisher.name.sv
    return Dataset(
        iri=where.dataset(product),
        identifier=addresses.identifier(product),
        title=publication.title,
        description=publication.description,
        keywords=publication.keywords,
        page=where.page(product),
        publisher=_agent_iri(contracts, release.publisher.id, where),
        contact=Contact(
            iri=where.contact(product),
            # The agent may be the whole city, so the contact names the administration.
            name=f"{organisation}, {publication.contact.name}",
            email=publication.contact.email,
        ),
        issued=first.issued,
        release=release,
        distributions=tuple(_distribution(release, form, where) for form in FORMATS),
    )


def _distribution(release: Release, form: str, where: Addresses) -> Distribution:
    file, described = release.file(f".{form}"), FORMATS[form]
    title = release.publication.title
    return Distribution(
        iri=where.distribution(release.product, form),
        form=form,
        format=described,
        title=Text(sv=f"{title.sv}, {described.name}", en=f"{title.en}, {described.name}"),
        url=where.file(release.product, file.name),
        file=file,
        checksum_iri=where.node("checksum", f"{release.product}/{form}"),
    )


def _agents(
    contracts: Contracts, organisations: Iterable[str], where: Addresses
) -> tuple[Agent, ...]:
    found: dict[str, Agent] = {}
    for organisation in organisations:
        row = contracts.vocabulary.organisations[organisation]
        iri = _agent_iri(contracts, organisation, where)
        # Administrations share the city's number and so its IRI, which must be described once.
        named = _head(contracts, row["organisation_number"]) or row
        found[iri] = Agent(
            iri=iri,
            name=Text(sv=named["name_sv"], en=named["name_en"]),
            kind=named["kind"],
            organisation_number=named["organisation_number"],
        )
    return tuple(found[iri] for iri in sorted(found))


def _head(contracts: Contracts, number: str) -> dict[str, str] | None:
    """The organisation that a number belongs to: the city itself, otherwise the first."""
    sharing = [
        dict(row)
        for row in contracts.vocabulary.organisations.values()
        if number and row["organisation_number"] == number
    ]
    city = [row for row in sharing if row["organisation_id"] == CITY]
    return next(iter(city or sharing), None)


def _agent_iri(contracts: Contracts, organisation: str, where: Addresses) -> str:
    row = contracts.vocabulary.organisations.get(organisation)
    return addresses.agent(
        organisation,
        row["organisation_number"] if row else "",
        lambda name: where.node("agent", name),
    )
