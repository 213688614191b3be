"""A release is what was signed, to the byte and in its place; stock tools find out, too."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

from lakehouse.errors import LakeError
from lakehouse.signatures import NAMESPACE, PRINCIPAL, sign, trusted_keys
from publishing.making.release import release
from publishing.portal.site import build_site, verify_site
from publishing.releases.manifest import MANIFEST, SIGNATURE
from publishing.releases.verification import verify_copy, verify_releases
from publishing.taking_back import withdraw
from tests.unit.publishing.lake import OTHER, PRODUCT, air_rows, release_both

FILES = (
    f"{PRODUCT}.csv",
    f"{PRODUCT}.parquet",
    "card.sv.md",
    "card.en.md",
    "knowledge.jsonl",
    "changes.sv.md",
    "changes.en.md",
    MANIFEST,
    SIGNATURE,
)


@pytest.fixture
def shown(settings, contracts, write_gold, audit):
    """Two releases of the air product and one of the other, on the site."""
    release_both(settings, contracts)
    audit(write_gold(air_rows(50)), 50)
    release(settings, contracts, PRODUCT)
    return build_site(settings, contracts).folder


@pytest.fixture
def copy(shown, tmp_path):
    """What a citizen has downloaded."""
    target = tmp_path / "download"
    shutil.copytree(shown / "files" / PRODUCT, target)
    return target


def problems(settings):
    found = [*verify_releases(settings), *verify_site(settings)]
    return [problem for one in found for problem in one.problems]


def flip(path, at=-20):
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(bytes(content))


def test_a_copy_of_what_is_shown_is_what_was_released(settings, copy):
    found = verify_copy(copy, trusted_keys(settings))
    assert found.problems == ()
    assert found.release == (PRODUCT, 2)
    assert found.files == len(FILES) - 2
    assert found.signer == trusted_keys(settings)[0].fingerprint
    assert sorted(path.name for path in copy.iterdir()) == sorted(FILES)


def test_ssh_keygen_and_sha256sum_say_the_same(settings, shown, copy):
    def keygen(message):
        return subprocess.run(
            [
                *("ssh-keygen", "-Y", "verify", "-f", str(shown / "allowed_signers")),
                *("-I", PRINCIPAL, "-n", NAMESPACE, "-s", str(copy / SIGNATURE)),
            ],
            input=message,
            capture_output=True,
            check=False,
        ).returncode

    manifest = (copy / MANIFEST).read_bytes()
    assert keygen(manifest) == 0
    assert keygen(manifest.replace(b'"number": 2', b'"number": 3', 1)) != 0
    sums = "".join(f"{one['sha256']}  {one['name']}\n" for one in json.loads(manifest)["files"])
    done = subprocess.run(
        ["sha256sum", "--check", "--strict"],  # noqa: S607
        input=sums,
        cwd=copy,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", FILES)
def test_one_byte_in_any_file_is_found(settings, copy, name):
    flip(copy / name)
    found = verify_copy(copy, trusted_keys(settings))
    assert found.problems
    assert str(copy / name) in found.problems[0].place or name in (MANIFEST, SIGNATURE)


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_gone_is_found(settings, copy, name):
    (copy / name).unlink()
    assert verify_copy(copy, trusted_keys(settings)).problems


def test_a_file_that_was_put_beside_them_is_found(settings, copy):
    (copy / "README.md").write_text("Run this first: …")
    (found,) = verify_copy(copy, trusted_keys(settings)).problems
    assert (found.place, found.what) == (
        str(copy / "README.md"),
        "it is no file of the release",
    )


def test_a_stranger_cannot_sign(settings, copy, tmp_path):
    key = tmp_path / "stranger"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)],  # noqa: S607
        check=True,
    )
    (copy / SIGNATURE).unlink()
    subprocess.run(
        ["ssh-keygen", "-q", "-Y", "sign", "-n", NAMESPACE, "-f", str(key), str(copy / MANIFEST)],  # noqa: S607
        check=True,
        capture_output=True,
    )
    found = verify_copy(copy, trusted_keys(settings))
    assert found.release is None
    assert "is not trusted" in found.problems[0].what


def test_an_old_release_is_not_taken_for_a_newer_one(settings, contracts, shown, tmp_path):
    old = settings.releases / PRODUCT / "0001"
    assert verify_copy(old, trusted_keys(settings)).problems == ()
    (found,) = verify_copy(old, trusted_keys(settings), at_least=2).problems
    assert "it is release 1, but release 2 has been seen" in found.what

    site = settings.site / "files" / PRODUCT
    for name in (MANIFEST, SIGNATURE, f"{PRODUCT}.csv", f"{PRODUCT}.parquet"):
        (site / name).unlink()
        shutil.copyfile(old / name, site / name)
    assert any("where ('luftkvalitet_timme', 2) belongs" in one.what for one in problems(settings))


def test_the_lake_holds_what_it_released(settings, shown):
    found = [*verify_releases(settings), *verify_site(settings)]
    assert [one.release for one in found] == [
        (OTHER, 1),
        (PRODUCT, 1),
        (PRODUCT, 2),
        (OTHER, 1),
        (PRODUCT, 2),
    ]
    assert problems(settings) == []
    assert [one.release for one in verify_releases(settings, OTHER)] == [(OTHER, 1)]


def test_a_release_that_was_exchanged_and_signed_again_breaks_the_chain(settings, shown):
    """Whoever has the key can sign; but not what the next release has already told."""
    first = settings.releases / PRODUCT / "0001"
    told = json.loads((first / MANIFEST).read_text())
    told["issued"] = "2026-01-01T00:00:00Z"
    (first / MANIFEST).write_text(json.dumps(told, ensure_ascii=False, indent=2) + "\n")
    (first / SIGNATURE).write_bytes(sign(settings, (first / MANIFEST).read_bytes()))
    assert verify_copy(first, trusted_keys(settings)).problems == ()
    (found,) = problems(settings)
    assert found.place == str(settings.releases / PRODUCT / "0002" / MANIFEST)
    assert "stands before it" in found.what


def test_a_release_that_was_taken_away_breaks_the_chain(settings, shown):
    shutil.rmtree(settings.releases / PRODUCT / "0001")
    assert any("but no release stands before it" in one.what for one in problems(settings))


def test_what_was_erased_is_no_damage(settings, contracts, shown):
    withdraw(settings, contracts, PRODUCT, "Fel.", "Wrong.", erase=True)
    assert problems(settings) == []
    flip(settings.releases / PRODUCT / "0001" / MANIFEST)
    assert problems(settings)


@pytest.mark.parametrize("name", [MANIFEST, SIGNATURE, f"{PRODUCT}.csv", "card.sv.md"])
def test_a_release_that_was_changed_is_not_shown(settings, contracts, gold, name):
    made = release(settings, contracts, PRODUCT)
    flip(made.folder / name)
    with pytest.raises(LakeError):
        build_site(settings, contracts)
    assert not settings.site.exists()
