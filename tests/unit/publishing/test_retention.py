"""Releases lose the rows that their product keeps no longer, and still say what they had."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from lakehouse.audit_log import entries
from lakehouse.errors import LakeError
from publishing.making.release import release
from publishing.portal.site import build_site
from publishing.releases.manifest import newest_release
from publishing.releases.verification import verify_releases
from publishing.retention import Expired, expire
from publishing.taking_back import reinstate, roll_back, withdraw
from tests.unit.publishing.lake import HOUR, OTHER, PRODUCT, air_rows, release_both

YEAR = 365 * 86_400
NOW = HOUR + timedelta(seconds=YEAR, days=1, hours=1)
"""The first of March 2026, on which all releases begin, is past a year since."""
KEPT_FROM = date(2026, 3, 2)
WHY = ("Fel.", "Wrong.")


@pytest.fixture
def product(contracts):
    return replace(contracts.product(PRODUCT), retention_s=YEAR)


@pytest.fixture
def three(settings, contracts, write_gold, audit):
    """Three releases of the air product, of which the last has no more of the first day."""
    release_both(settings, contracts)
    audit(write_gold(air_rows(50)), 50)
    release(settings, contracts, PRODUCT)
    newer = [row for row in air_rows(60) if row["hour_start"].date() > date(2026, 3, 1)]
    audit(write_gold(newer), len(newer))
    release(settings, contracts, PRODUCT)
    build_site(settings, contracts)


def files(settings, number: int) -> set[str]:
    folder = settings.releases / PRODUCT / f"{number:04d}"
    return {path.name for path in folder.iterdir()}


def test_what_is_too_old_goes_and_is_still_verified(settings, contracts, product, three):
    whole = files(settings, 3)
    assert expire(settings, product, now=NOW, dry_run=True) == Expired(KEPT_FROM, (1, 2))
    assert files(settings, 1) > {f"{PRODUCT}.csv"}
    assert expire(settings, product, now=NOW) == Expired(KEPT_FROM, (1, 2))
    for number in (1, 2):
        assert files(settings, number) == {"manifest.json", "manifest.json.sig"}
    assert files(settings, 3) == whole
    assert newest_release(settings, PRODUCT).number == 3
    assert [found.problems for found in verify_releases(settings, PRODUCT)] == [(), (), ()]
    *_, noted = entries(settings)
    assert (noted.action, noted.object) == ("erased", f"product/{PRODUCT}")
    assert (noted.details["releases"], noted.details["rule"]) == (2, "retention")
    assert expire(settings, product, now=NOW) is None
    assert build_site(settings, contracts).releases == {OTHER: 1, PRODUCT: 3}


def test_what_is_young_enough_or_promises_nothing_stays(settings, contracts, product, three):
    for day in (0, 1):  # the last moment of the day that is just kept
        now = datetime(2027, 3, 1, 23, 59, 59, tzinfo=UTC) - timedelta(days=day)
        assert expire(settings, product, now=now) is None
    assert expire(settings, contracts.product(PRODUCT), now=NOW + timedelta(days=9999)) is None


def test_the_release_that_is_shown_stays_until_another_is(settings, contracts, product):
    release_both(settings, contracts)
    assert expire(settings, product, now=NOW) is None


def test_a_release_that_is_gone_never_comes_back(settings, contracts, product, three):
    expire(settings, product, now=NOW)
    with pytest.raises(LakeError, match="release 1 is not one that may be shown"):
        roll_back(settings, contracts, PRODUCT, 1, *WHY)
    withdraw(settings, contracts, PRODUCT, *WHY)
    reinstate(settings, contracts, PRODUCT, *WHY)
    assert newest_release(settings, PRODUCT).number == 3
    with pytest.raises(LakeError, match="may be shown"):
        roll_back(settings, contracts, PRODUCT, 2, *WHY)


def test_of_a_withdrawn_product_the_last_goes_as_well(settings, contracts, product):
    release_both(settings, contracts)
    build_site(settings, contracts)
    withdraw(settings, contracts, PRODUCT, *WHY)
    assert expire(settings, product, now=NOW) == Expired(KEPT_FROM, (1,))
    assert files(settings, 1) == {"manifest.json", "manifest.json.sig"}
