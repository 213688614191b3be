"""What contracts and vocabulary say, as small Delta tables that SQL joins.

This is why no SQL is generated for a source: its mapping from (device, channel) to observed
property and unit is data. A table is written only when its content has changed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from lakehouse import delta, tables
from lakehouse.contracts import Contracts, ProductContract, SourceContract, Vocabulary
from lakehouse.contracts.thing import periods
from lakehouse.contracts.vocabulary import COLUMNS
from lakehouse.settings import Settings

_NUMBERS = {"factor", "offset", "limit_value", "allowed_exceedances"}

SOURCES = pa.schema(
    [
        pa.field("source_id", pa.string(), nullable=False),
        pa.field("name", pa.string(), nullable=False),
        pa.field("description", pa.string()),
        pa.field("organisation_id", pa.string(), nullable=False),
        pa.field("initiative_id", pa.string(), nullable=False),
        pa.field("owner", pa.string(), nullable=False),
        pa.field("contact", pa.string(), nullable=False),
        pa.field("domain", pa.string(), nullable=False),
        pa.field("protocol", pa.string(), nullable=False),
        pa.field("format", pa.string(), nullable=False),
        pa.field("connectivity", pa.string()),
        pa.field("frequency_s", pa.int64()),
        pa.field("interval_s", pa.int64()),
        pa.field("contract_version", pa.string(), nullable=False),
        pa.field("classification_k", pa.int32(), nullable=False),
        pa.field("classification_r", pa.int32(), nullable=False),
        pa.field("classification_t", pa.int32(), nullable=False),
        pa.field("has_personal_data", pa.bool_(), nullable=False),
        pa.field("is_shareable", pa.bool_(), nullable=False),
    ]
)

MAPPINGS = pa.schema(
    [
        pa.field("source_id", pa.string(), nullable=False),
        pa.field("channel", pa.string(), nullable=False),
        pa.field("device_pattern", pa.string(), nullable=False),
        pa.field("observed_property_id", pa.string(), nullable=False),
        pa.field("ucum_code", pa.string(), nullable=False),
        pa.field("minimum", pa.float64()),
        pa.field("maximum", pa.float64()),
        pa.field("aggregation", pa.string(), nullable=False),
        pa.field("rollover", pa.float64()),
    ]
)

THINGS = pa.schema(
    [
        pa.field("source_id", pa.string(), nullable=False),
        pa.field("device", pa.string(), nullable=False),
        pa.field("name", pa.string(), nullable=False),
        pa.field("type", pa.string(), nullable=False),
        pa.field("valid_from", pa.timestamp("us", "UTC")),
        pa.field("valid_to", pa.timestamp("us", "UTC")),
        pa.field("longitude", pa.float64()),
        pa.field("latitude", pa.float64()),
        pa.field("public_precision_m", pa.float64()),
        pa.field("street", pa.string()),
        pa.field("district", pa.string()),
        pa.field("attributes", pa.string(), nullable=False),
    ]
)

DISTRICTS = pa.schema(
    [
        pa.field("district_id", pa.string(), nullable=False),
        pa.field("name", pa.string(), nullable=False),
        pa.field("longitude_1", pa.float64(), nullable=False),
        pa.field("latitude_1", pa.float64(), nullable=False),
        pa.field("longitude_2", pa.float64(), nullable=False),
        pa.field("latitude_2", pa.float64(), nullable=False),
    ]
)
"""Grain: one row for each edge of a district."""

PRODUCTS = pa.schema(
    [
        pa.field("product_id", pa.string(), nullable=False),
        pa.field("source_id", pa.string(), nullable=False),
        pa.field("title_sv", pa.string(), nullable=False),
        pa.field("publisher", pa.string(), nullable=False),
        pa.field("audience", pa.string(), nullable=False),
        pa.field("is_approved", pa.bool_(), nullable=False),
    ]
)
"""Grain: one row for each product and source that it is made from."""


def reference_tables(contracts: Contracts) -> dict[str, pa.Table]:
    """All reference tables by name, as the contracts now say."""
    sources = list(contracts.sources.values())
    found = {name: _vocabulary(contracts, name) for name in COLUMNS}
    found["sources"] = pa.Table.from_pylist([_source(source) for source in sources], SOURCES)
    found["mappings"] = pa.Table.from_pylist(
        [row for source in sources for row in _mappings(source, contracts.vocabulary)], MAPPINGS
    )
    found["things"] = pa.Table.from_pylist(
        [row for source in sources for row in _things(source)], THINGS
    )
    found["products"] = pa.Table.from_pylist(
        [row for product in contracts.products.values() for row in _products(contracts, product)],
        PRODUCTS,
    )
    edges = [
        [district.id, district.name, *edge]
        for district in contracts.vocabulary.districts
        for edge in district.edges
    ]
    found["district_edges"] = pa.Table.from_pylist(
        [dict(zip(DISTRICTS.names, edge, strict=True)) for edge in edges], DISTRICTS
    )
    return found


def write_reference(settings: Settings, contracts: Contracts) -> dict[str, delta.Commit]:
    """Bring the reference tables of the lake up to the contracts.

    Returns:
        The commit of each table by name; `written` is false where nothing had changed.
    """
    commits: dict[str, delta.Commit] = {}
    for name, table in reference_tables(contracts).items():
        address = tables.reference(settings, name)
        digest = _digest(table)
        version = delta.version_of(address)
        if version is not None and _noted_digest(address, version) == digest:
            commits[name] = delta.Commit(version, written=False)
            continue
        commits[name] = delta.replace(
            address,
            table,
            table.schema,
            note={"digest": digest},
            description="What the contracts and the vocabulary say.",
        )
    return commits


def mapping_digest(
    source: SourceContract, vocabulary: Vocabulary, rebuilt: int | None = None
) -> str:
    """What decides how a source's rows become observations: mapping, units and sharing.

    When it changes, the source's history must be read again under the new mapping. Rows of a source
    that has been built anew (mark `anew` of bronze) stand for all rows before, as those of another
    mapping do.
    """
    content = [
        [
            dict(row)
            | {
                "unit": dict(vocabulary.units.get(str(row["ucum_code"]), {})),
                "property": str(
                    vocabulary.observed_properties.get(str(row["observed_property_id"]), {})
                ),
            }
            for row in _mappings(source, vocabulary)
        ],
        source.classification.is_shareable,
    ]
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
    return digest if rebuilt is None else f"{digest}.{rebuilt}"


def _vocabulary(contracts: Contracts, name: str) -> pa.Table:
    schema = pa.schema(
        [
            pa.field(column, pa.float64() if column in _NUMBERS else pa.string())
            for column in COLUMNS[name]
        ]
    )
    rows = [
        {
            column: (float(row[column] or 0) if column in _NUMBERS else row[column] or None)
            for column in COLUMNS[name]
        }
        for row in contracts.vocabulary.rows(name)
    ]
    return pa.Table.from_pylist(rows, schema)


def _source(source: SourceContract) -> Mapping[str, object]:
    ownership, classification = source.ownership, source.classification
    return {
        "source_id": source.id,
        "name": source.name,
        "description": source.description or None,
        "organisation_id": ownership.organisation,
        "initiative_id": ownership.initiative,
        "owner": ownership.owner,
        "contact": ownership.contact,
        "domain": source.domain,
        "protocol": source.protocol,
        "format": source.delivery.format,
        "connectivity": ownership.connectivity,
        "frequency_s": source.frequency_s,
        "interval_s": source.delivery.time.interval_s if source.delivery.time else None,
        "contract_version": source.version,
        "classification_k": classification.k,
        "classification_r": classification.r,
        "classification_t": classification.t,
        "has_personal_data": classification.personal_data,
        "is_shareable": classification.is_shareable,
    }


def _mappings(source: SourceContract, vocabulary: Vocabulary) -> list[Mapping[str, object]]:
    known = vocabulary.observed_properties
    return [
        {
            "source_id": source.id,
            "channel": channel.name,
            "device_pattern": channel.devices,
            "observed_property_id": channel.observed_property,
            "ucum_code": channel.unit,
            "minimum": channel.minimum,
            "maximum": channel.maximum,
            "aggregation": channel.aggregation
            or known[channel.observed_property or ""]["aggregation"],
            "rollover": channel.rollover,
        }
        for channel in source.channels
    ]


def _things(source: SourceContract) -> list[Mapping[str, object]]:
    return [
        {
            "source_id": source.id,
            "device": thing.device,
            "name": thing.name,
            "type": thing.type,
            "valid_from": thing.valid_from,
            "valid_to": valid_to,
            "longitude": thing.longitude,
            "latitude": thing.latitude,
            "public_precision_m": thing.public_precision_m,
            "street": thing.street,
            "district": thing.district,
            "attributes": json.dumps(dict(thing.attributes), ensure_ascii=False, sort_keys=True),
        }
        for thing, valid_to in periods(source.things)
    ]


def _products(contracts: Contracts, product: ProductContract) -> list[Mapping[str, object]]:
    publication = product.publication
    return [
        {
            "product_id": product.id,
            "source_id": source_id,
            "title_sv": publication.title.sv,
            "publisher": publication.publisher,
            "audience": publication.audience,
            "is_approved": contracts.approval(product.id) is not None,
        }
        for source_id in publication.sources
    ]


def _digest(table: pa.Table) -> str:
    rows = table.to_pylist()
    content = json.dumps([table.schema.to_string(), rows], ensure_ascii=False, default=str)
    return hashlib.sha256(content.encode()).hexdigest()


def _noted_digest(address: Path, version: int) -> str | None:
    return delta.note_of(address, version).get("digest")
