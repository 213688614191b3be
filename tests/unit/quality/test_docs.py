"""The page of an audit: of the whole version, without a value, and fetching nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from quality import audit_product
from tests.unit.publishing.lake import PRODUCT, air_rows


@pytest.fixture
def product(contracts):
    return contracts.product(PRODUCT)


def test_a_page_tells_what_was_expected_and_found(settings, product, write_gold):
    rows = air_rows()
    rows[3] |= {"pm10_ug_m3": 4711.25}
    write_gold(rows)
    assert not audit_product(settings, product).passed
    page = (settings.audits / product.id / "docs" / "index.html").read_text("utf-8")
    head = page[: page.index("<script")] if "<script" in page else page
    assert "default-src 'none'" in head
    assert "pm10_ug_m3" in page
    assert "4711" not in page


def test_there_is_no_page_of_an_audit_that_could_not_be_made(settings, contracts, write_gold):
    product = contracts.product(PRODUCT)
    write_gold(air_rows())
    audit_product(settings, product)
    extra = replace(product.columns[0], name="noise_db")
    audit_product(settings, replace(product, columns=(*product.columns, extra)))
    assert not (settings.audits / product.id / "docs" / "index.html").exists()
