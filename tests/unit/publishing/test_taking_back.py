"""Taking back: gone from every channel in one step, told why, and back only when told so."""

import json

import pytest

from lakehouse.errors import LakeError, ReleaseRefused
from publishing.catalogue.open_database import open_database, released_numbers
from publishing.making.release import release
from publishing.portal.site import build_site
from publishing.releases.manifest import newest_release, releases
from publishing.releases.withdrawals import closed_products
from publishing.taking_back import reinstate, roll_back, withdraw
from tests.unit.publishing.lake import OTHER, PRODUCT, air_rows, release_both

WHY = ("Räknefel vid Hornsgatan <b>sedan</b> 3 maj.", "Wrong counts at Hornsgatan since 3 May.")


@pytest.fixture
def released(settings, contracts):
    release_both(settings, contracts)
    build_site(settings, contracts)


@pytest.fixture
def second(settings, contracts, released, write_gold, audit):
    """A second release of the air product, with two rows more."""
    audit(write_gold(air_rows(50)), 50)
    release(settings, contracts, PRODUCT)
    build_site(settings, contracts)


def shown(settings):
    return json.loads((settings.site / "build.json").read_text())["releases"]


def served(settings):
    """Every byte that a visitor or an assistant can get."""
    paths = [path for path in (settings.home / "sites").rglob("*") if path.is_file()]
    return {str(path.relative_to(settings.home)): path.read_bytes() for path in paths}


def test_a_withdrawn_product_is_in_no_channel(settings, contracts, second):
    secret = (settings.site / "files" / PRODUCT / f"{PRODUCT}.csv").read_bytes()
    done = withdraw(settings, contracts, PRODUCT, *WHY)
    assert done.withdrawal.numbers == (1, 2)
    assert shown(settings) == {OTHER: 1}
    assert released_numbers(open_database(settings)) == {OTHER: 1}
    # Older builds are gone as well: they linked to the same files.
    assert [path.name for path in (settings.home / "sites").iterdir()] == ["0003"]
    everything = served(settings)
    assert secret not in everything.values()
    naming = {path for path, content in everything.items() if PRODUCT.encode() in content}
    assert naming == {f"sites/0003/{name}" for name in ("gone.json",)}


def test_a_page_tells_why_and_what_a_server_must_answer(settings, contracts, released):
    withdraw(settings, contracts, PRODUCT, *WHY)
    page = (settings.site / "dataset" / PRODUCT / "index.html").read_text(encoding="utf-8")
    assert "Räknefel vid Hornsgatan &lt;b&gt;sedan&lt;/b&gt; 3 maj." in page
    assert "Wrong counts at Hornsgatan since 3 May." in page
    assert "Luftkvalitet per timme" in page
    gone = json.loads((settings.site / "gone.json").read_text())
    assert gone == {"status": 410, "paths": [f"/dataset/{PRODUCT}/", f"/files/{PRODUCT}/"]}


def test_nothing_more_is_released_until_it_is_reinstated(
    settings, contracts, released, write_gold, audit
):
    withdraw(settings, contracts, PRODUCT, *WHY)
    audit(write_gold(air_rows(50)), 50)
    with pytest.raises(ReleaseRefused, match=r"was withdrawn on .*: Wrong counts"):
        release(settings, contracts, PRODUCT)
    with pytest.raises(LakeError, match="was withdrawn on"):
        withdraw(settings, contracts, PRODUCT, *WHY)

    reinstate(settings, contracts, PRODUCT, "Rättat.", "Mended.")
    assert shown(settings) == {OTHER: 1, PRODUCT: 1}
    assert not (settings.site / "gone.json").exists()
    assert release(settings, contracts, PRODUCT).number == 2
    with pytest.raises(LakeError, match="it is not withdrawn"):
        reinstate(settings, contracts, PRODUCT, "Rättat.", "Mended.")


def test_the_release_before_is_shown_again_and_the_taken_one_never_comes_back(
    settings, contracts, second, write_gold, audit
):
    roll_back(settings, contracts, PRODUCT, 1, *WHY)
    assert shown(settings) == {OTHER: 1, PRODUCT: 1}
    assert newest_release(settings, PRODUCT).rows == 48
    assert [found.number for found in releases(settings, PRODUCT)] == [1]
    with pytest.raises(ReleaseRefused, match="the same rows were release 2, taken back"):
        release(settings, contracts, PRODUCT)

    audit(write_gold(air_rows(52)), 52)
    third = release(settings, contracts, PRODUCT)
    assert (third.number, third.changes.supersedes, third.changes.added) == (3, 1, 4)


@pytest.mark.parametrize("to", [2, 3, 0])
def test_one_can_only_go_back_to_a_release_that_is_shown(settings, contracts, second, to):
    with pytest.raises(LakeError, match=rf"release {to} is"):
        roll_back(settings, contracts, PRODUCT, to, *WHY)
    assert shown(settings) == {OTHER: 1, PRODUCT: 2}


def test_erasing_leaves_the_manifest_and_nothing_else(settings, contracts, second):
    withdraw(settings, contracts, PRODUCT, *WHY, erase=True)
    left = {path.name for path in (settings.releases / PRODUCT).rglob("*") if path.is_file()}
    assert left == {"manifest.json", "manifest.json.sig", "withdrawals.json"}
    for path in settings.home.rglob("*.parquet"):
        assert "releases" not in path.parts or path.parts[-3] != PRODUCT
    reinstate(settings, contracts, PRODUCT, "Rättat.", "Mended.")
    assert newest_release(settings, PRODUCT) is None
    assert shown(settings) == {OTHER: 1}
    with pytest.raises(ReleaseRefused, match="the same rows were release 2"):
        release(settings, contracts, PRODUCT)


def test_what_was_never_released_cannot_be_taken_back(settings, contracts, gold):
    with pytest.raises(LakeError, match="never been released"):
        withdraw(settings, contracts, PRODUCT, *WHY)
    assert closed_products(settings) == {}
