"""All contracts of one folder, checked against each other and against the vocabulary."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from lakehouse.contracts import drafts
from lakehouse.contracts.approvals import Approval, Approvals, load_approvals
from lakehouse.contracts.districts import bounds
from lakehouse.contracts.own import OWN
from lakehouse.contracts.product import ProductContract, load_product
from lakehouse.contracts.source import SourceContract, load_source
from lakehouse.contracts.vocabulary import Vocabulary, load_vocabulary
from lakehouse.errors import ContractError, Problem

Contract = TypeVar("Contract", SourceContract, ProductContract)


@dataclass(frozen=True, slots=True)
class Contracts:
    """Everything a lake is made from, by id, in id order.

    Attributes:
        folder: Where the contracts stand.
        sources: The sources; a draft is none.
        products: The products.
        vocabulary: The words they use.
        drafts: Contracts of sources that are still drafts, by the name of their file.
        approvals: The information owners' decisions to share, by product, oldest first.
    """

    folder: Path
    sources: Mapping[str, SourceContract]
    products: Mapping[str, ProductContract]
    vocabulary: Vocabulary
    drafts: Mapping[str, Path] = field(default_factory=dict)
    approvals: Approvals = field(default_factory=dict)

    def source(self, source_id: str) -> SourceContract:
        """The source contract `source_id`.

        Raises:
            ContractError: There is none.
        """
        if source_id in self.drafts and source_id not in self.sources:
            raise ContractError(
                Problem(
                    str(self.drafts[source_id]),
                    "this contract is a draft",
                    f"Decide what is open (sjostad source check {source_id}), then write "
                    "'status: active'.",
                )
            )
        return self._named(self.sources, source_id, "source")

    def product(self, product_id: str) -> ProductContract:
        """The product contract `product_id`.

        Raises:
            ContractError: There is none.
        """
        return self._named(self.products, product_id, "product")

    def approval(self, product_id: str) -> Approval | None:
        """The newest decision to share a product with the audience that its contract names."""
        audience = self.product(product_id).publication.audience
        made = [one for one in self.approvals.get(product_id, ()) if one.audience == audience]
        return made[-1] if made else None

    def at(self, server: str) -> Contracts:
        """The same contracts, each source fetched from the server of that name if it has one.

        Raises:
            ContractError: No source has a server of that name.
        """
        known = sorted({one.name for source in self.sources.values() for one in source.servers})
        if server not in known:
            raise ContractError(
                Problem(
                    f"{self.folder}/sources",
                    f"no source has a server '{server}'",
                    f"Known: {', '.join(known)}.",
                )
            )
        return replace(self, sources={key: one.at(server) for key, one in self.sources.items()})

    def _named(self, contracts: Mapping[str, Contract], name: str, kind: str) -> Contract:
        if name not in contracts:
            raise ContractError(
                Problem(
                    f"{self.folder}/{kind}s",
                    f"there is no {kind} '{name}'",
                    f"Known: {', '.join(contracts) or 'none'}.",
                )
            )
        return contracts[name]


def load_contracts(folder: Path) -> Contracts:
    """Read and check every contract of a folder, before anything runs.

    Args:
        folder: Holds `sources/**/*.yaml`, `products/*.yaml` and, if it wants, `vocabulary/*.csv`
            and `approvals/**/*.yaml`.

    Raises:
        ContractError: With every problem of every file.
    """
    if not (folder / "sources").is_dir():
        raise ContractError(
            Problem(str(folder), "there is no folder 'sources' in it", "Name a contracts folder.")
        )
    problems: list[Problem] = []
    vocabulary = load_vocabulary(folder)
    paths = sorted((folder / "sources").rglob("*.yaml"))
    waiting = {path.stem: path for path in paths if drafts.is_draft(path)}
    ready = [path for path in paths if waiting.get(path.stem) != path]
    sources = _load_all(ready, load_source, problems)
    products = _load_all(sorted((folder / "products").rglob("*.yaml")), load_product, problems)
    approvals = load_approvals(folder, products, problems)
    for source in sources.values():
        problems += _taken_ids(source)
        problems += unknown_words(source, vocabulary)
        problems += _swapped_places(source, vocabulary)
    for product in products.values():
        problems += _unknown_publisher(product, vocabulary)
        problems += _unknown_sources(product, [path.stem for path in paths])
    if problems:
        raise ContractError.of(problems)
    return Contracts(folder, sources, products, vocabulary, waiting, approvals)


def _load_all(
    paths: Sequence[Path], load: Callable[[Path], Contract], problems: list[Problem]
) -> dict[str, Contract]:
    found: dict[str, Contract] = {}
    for path in paths:
        try:
            contract = load(path)
        except ContractError as error:
            problems += error.problems
            continue
        if contract.id in found:
            problems.append(
                Problem(
                    f"{path}: id",
                    f"'{contract.id}' is also the id of {found[contract.id].path}",
                    "Give one of them another id.",
                )
            )
        found[contract.id] = contract
    return dict(sorted(found.items()))


def unknown_words(source: SourceContract, vocabulary: Vocabulary) -> Iterator[Problem]:
    """Words of a contract that are not in the vocabulary, and units that do not fit."""
    place = f"{source.path}: customProperties.source"
    if source.ownership.organisation not in vocabulary.organisations:
        yield _unknown(f"{place}.organisation", source.ownership.organisation, "organisations")
    if source.ownership.initiative not in vocabulary.initiatives:
        yield _unknown(f"{place}.initiative", source.ownership.initiative, "initiatives")
    for index, column in enumerate(source.columns):
        if not column.is_channel:
            continue
        key = f"{source.path}: schema[0].properties[{index}] ({column.name})"
        known = vocabulary.observed_properties.get(column.observed_property or "")
        unit = vocabulary.units.get(column.unit or "")
        if known is None:
            yield _unknown(key, column.observed_property or "", "observed_properties")
        if unit is None:
            yield _unknown(key, column.unit or "", "units")
        if known and unit and known["canonical_unit"] != unit["canonical_unit"]:
            yield Problem(
                key,
                f"'{column.unit}' cannot be converted to {known['canonical_unit']}, the unit of "
                f"{column.observed_property}",
                "Correct the unit or the observed property.",
            )


def _swapped_places(source: SourceContract, vocabulary: Vocabulary) -> Iterator[Problem]:
    """Things that lie in the city only if their longitude and latitude are exchanged."""
    west, south, east, north = bounds(vocabulary.districts)
    for index, thing in enumerate(source.things):
        x, y = thing.longitude, thing.latitude
        if x is not None and y is not None and west <= y <= east and south <= x <= north:
            yield Problem(
                f"{source.path}: customProperties.things[{index}] ({thing.device})",
                f"longitude {x:g} and latitude {y:g} lie in the city if they are exchanged",
                "Exchange them: longitude is the one around 18.",
            )


def _taken_ids(source: SourceContract) -> Iterator[Problem]:
    if source.id in OWN:
        what = f"'{source.id}' is the name of the lake's own tables"
        yield Problem(f"{source.path}: id", what, "Give the source another id.")


def _unknown_publisher(product: ProductContract, vocabulary: Vocabulary) -> Iterator[Problem]:
    publisher = product.publication.publisher
    if publisher not in vocabulary.organisations:
        key = f"{product.path}: customProperties.publication.publisher"
        yield _unknown(key, publisher, "organisations")


def _unknown_sources(product: ProductContract, sources: Sequence[str]) -> Iterator[Problem]:
    for name in product.publication.sources:
        if name not in sources and name not in OWN:
            yield Problem(
                f"{product.path}: customProperties.publication.sources",
                f"there is no source '{name}'",
                f"Known: {', '.join([*sources, *OWN])}.",
            )


def _unknown(place: str, word: str, vocabulary: str) -> Problem:
    return Problem(
        place,
        f"'{word}' is not in vocabulary/{vocabulary}.csv",
        "Use a word from that file, or add it there.",
    )
