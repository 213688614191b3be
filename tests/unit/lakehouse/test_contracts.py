"""Contracts: what is shipped loads, and its words are those of the vocabulary."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from lakehouse.contracts import load_contracts, load_source
from lakehouse.contracts.own import OWN
from lakehouse.errors import ContractError
from lakehouse.settings import PROJECT
from tests.unit.ingestion.lake import METER, column, document
from tests.unit.lakehouse.contract_edits import PRODUCT, section

SHIPPED = (PROJECT / "contracts", PROJECT / "examples" / "open_data")
SHIPPED_SOURCES = sorted(path for folder in SHIPPED for path in folder.glob("sources/**/*.yaml"))


@pytest.mark.parametrize("path", SHIPPED_SOURCES, ids=lambda path: path.stem)
def test_every_shipped_source_loads(path):
    contract = load_source(path)
    assert contract.id == path.stem
    assert contract.channels
    assert contract.location
    assert contract.frequency_s in {days * 86_400 for days in (1, 7, 365)}


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda path: path.name)
def test_every_shipped_folder_loads(folder):
    contracts = load_contracts(folder)
    assert set(contracts.sources) == {path.stem for path in folder.glob("sources/**/*.yaml")}
    assert set(contracts.products) == {path.stem for path in folder.glob("products/*.yaml")}
    assert list(contracts.sources) == sorted(contracts.sources)


def test_shipped_products_have_a_key_and_open_ones_an_approval():
    contracts = load_contracts(PROJECT / "contracts")
    products = contracts.products
    assert all(product.key and product.publication.sources for product in products.values())
    audiences = {name: product.publication.audience for name, product in products.items()}
    assert audiences == {
        "delningskostnad_dygn": "internal",
        "energi_och_vatten_dygn": "internal",
        "energianvandning_timme": "open",
        "gatubelysning_dygn": "internal",
        "inomhusklimat_timme": "internal",
        "landstrom_debiteringsunderlag": "internal",
        "lejonens_plats": "internal",
        "luftkvalitet_overskridanden": "open",
        "luftkvalitet_timme": "open",
        "portal_anvandning_dygn": "open",
        "smarta_las_dygn": "restricted",
        "trafikflode_kvart": "open",
        "vattenlacka_kandidater": "internal",
    }
    approved = {name for name in products if contracts.approval(name)}
    assert approved == {name for name, who in audiences.items() if who != "internal"}


def test_unknown_source_and_product_are_named():
    contracts = load_contracts(PROJECT / "contracts")
    with pytest.raises(ContractError, match=r"no source 'nowhere'.*Known: .*miljo_luft"):
        contracts.source("nowhere")
    with pytest.raises(ContractError, match=r"no product 'nothing'.*Known: .*luftkvalitet_timme"):
        contracts.product("nothing")


def test_digest_hangs_on_content_not_on_layout(tmp_path):
    first, second = tmp_path / "a" / "meters.yaml", tmp_path / "b" / "meters.yaml"
    for path, style in ((first, {"sort_keys": True}), (second, {"default_flow_style": True})):
        path.parent.mkdir()
        path.write_text(yaml.safe_dump(document(), **style))
    assert load_source(first).digest == load_source(second).digest
    changed = document() | {"version": "1.0.1"}
    second.write_text(yaml.safe_dump(changed))
    assert load_source(first).digest != load_source(second).digest


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [1, 2\nb: 3\n", ["line 2", "this is not YAML", "Mend the syntax"]),
        ("- a\n- b\n", ["the file holds no mapping", "Start it with 'apiVersion: v3.1.0'"]),
        ("", ["the file holds no mapping"]),
        ("id: \udce5\n", ["this is not YAML"]),
    ],
)
def test_not_yaml(tmp_path, text, words):
    path = tmp_path / "meters.yaml"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ContractError) as caught:
        load_source(path)
    for word in (str(path), *words):
        assert word in str(caught.value)


UNKNOWN_WORDS = {
    "unit": (
        {"columns": [*METER[:2], column("kwh", "active_energy", "kWh")]},
        ["schema[0].properties[2] (kwh)", "'kWh' is not in vocabulary/units.csv"],
    ),
    "property": (
        {"columns": [*METER[:2], column("kwh", "el", "kW.h")]},
        ["schema[0].properties[2] (kwh)", "'el' is not in vocabulary/observed_properties.csv"],
    ),
    "dimension": (
        {"columns": [*METER[:2], column("kwh", "active_energy", "kW")]},
        ["'kW' cannot be converted to kW.h", "active_energy", "Correct the unit"],
    ),
}


@pytest.mark.parametrize("name", UNKNOWN_WORDS)
def test_words_come_from_the_vocabulary(lake, name):
    changes, words = UNKNOWN_WORDS[name]
    path = lake.write(**changes)
    with pytest.raises(ContractError) as caught:
        load_contracts(lake.settings.contracts)
    for word in (str(path), *words):
        assert word in str(caught.value)


@pytest.mark.parametrize("key", ["organisation", "initiative"])
def test_owners_come_from_the_vocabulary(lake, key):
    path = lake.write()
    data = yaml.safe_load(path.read_text())
    section(data, "source")[key] = "okand"
    path.write_text(yaml.safe_dump(data))
    with pytest.raises(ContractError, match=f"'okand' is not in vocabulary/{key}s.csv"):
        load_contracts(lake.settings.contracts)


def test_publisher_comes_from_the_vocabulary(lake):
    lake.write()
    data = yaml.safe_load(PRODUCT.read_text(encoding="utf-8"))
    section(data, "publication")["publisher"] = "okand"
    path = lake.settings.contracts / "products" / PRODUCT.name
    path.parent.mkdir()
    path.write_text(yaml.safe_dump(data))
    with pytest.raises(ContractError, match=r"publication.publisher: 'okand' is not in"):
        load_contracts(lake.settings.contracts)


def test_problems_of_two_files_are_both_reported(lake):
    first, second = lake.write("first"), lake.write("second")
    for path, key in ((first, "owner"), (second, "contact")):
        data = yaml.safe_load(path.read_text())
        section(data, "source").pop(key)
        path.write_text(yaml.safe_dump(data))
    with pytest.raises(ContractError) as caught:
        load_contracts(lake.settings.contracts)
    places = [problem.place for problem in caught.value.problems]
    assert places == [
        f"{first}: customProperties.source.owner",
        f"{second}: customProperties.source.contact",
    ]


def test_id_that_stands_twice(lake):
    path = lake.write("meters")
    again = path.parent / "other" / path.name
    again.parent.mkdir()
    again.write_text(path.read_text())
    with pytest.raises(ContractError, match="'meters' is also the id of"):
        load_contracts(lake.settings.contracts)


@pytest.mark.parametrize("name", OWN)
def test_a_source_may_not_be_called_as_the_lakes_own_tables_are(lake, name):
    lake.write(name)
    with pytest.raises(ContractError, match=f"'{name}' is the name of the lake's own tables"):
        load_contracts(lake.settings.contracts)


def test_folder_without_sources(tmp_path):
    with pytest.raises(ContractError, match=r"no folder 'sources'.*Name a contracts folder"):
        load_contracts(tmp_path)


def test_readings_that_may_be_shared(lake):
    contract = lake.source()
    levels = contract.classification
    assert levels.is_shareable
    assert not levels.model_copy(update={"k": 2}).is_shareable
    assert not levels.model_copy(update={"personal_data": True}).is_shareable
    assert Path(contract.path).name == "meters.yaml"
