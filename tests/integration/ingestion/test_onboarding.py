"""From a sample to rows: what `source init` proposes, answered as a newcomer would, must land."""

from __future__ import annotations

import json
import shutil
import sqlite3
import statistics
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from ingestion import ingest_source
from ingestion.onboarding import Proposal, Wish, propose
from ingestion.onboarding.samples import paths_of
from lakehouse.contracts import load_vocabulary
from lakehouse.contracts.drafts import undecided
from lakehouse.errors import ContractError
from lakehouse.settings import PROJECT, Settings
from orchestration.trial import Trial, open_candidate, try_source
from tests.flow import Lake
from tests.integration.ingestion.onboarding_samples import CASES, Case

WORDS = {
    "observed_properties": [
        "water_register,Vattenmätarställning,Water meter register,"
        "http://qudt.org/vocab/quantitykind/Volume,m3,counter",
        "luminous_flux,Ljusflöde,Luminous flux,"
        "http://qudt.org/vocab/quantitykind/LuminousFlux,lm,mean",
        *(
            f"{word},{name},{name},http://dd.eionet.europa.eu/vocabulary/aq/pollutant/{number},"
            "ug/m3,mean"
            for word, name, number in (("no", "Kvävemonoxid", 38), ("so2", "Svaveldioxid", 1))
        ),
    ],
    "units": ["lm,lm,lumen,lumen,luminous flux,lm,1,0,LUM,http://qudt.org/vocab/unit/LM,"],
}
"""What the city's vocabulary would get before such sources come."""

ALWAYS = {
    "domain": "test",
    "purpose": "A test.",
    "frequency": 1,
    "frequency.unit": "d",
    "organisation": "miljoforvaltningen",
    "initiative": "luftmatning_hornsgatan",
    "owner": "Luft (CC BY 4.0)",
    "contact": "luft@stockholm.example",
    "k": 0,
    "r": 1,
    "t": 1,
    "personalData": False,
}
"""What is asked of every newcomer, with an answer."""


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> Settings:
    """A city with a somewhat larger vocabulary and an empty inbox."""
    home = tmp_path_factory.mktemp("city")
    contracts = home / "contracts"
    shutil.copytree(PROJECT / "contracts" / "vocabulary", contracts / "vocabulary")
    (contracts / "sources").mkdir()
    for name, lines in WORDS.items():
        path = contracts / "vocabulary" / f"{name}.csv"
        text = path.read_text("utf-8")
        if name == "units":
            text = text.replace("|Celsius|", "|Celsius|C|")  # FROST's samples call it so
        path.write_text(text + "\n".join(lines) + "\n", "utf-8")
    (home / "inbox").mkdir()
    return Settings.from_environment({}, contracts=contracts, home=home, inbox=home / "inbox")


def proposal_of(settings: Settings, wish: Wish) -> Proposal:
    return propose(wish, load_vocabulary(settings.contracts), settings.inbox)


def short(key: str) -> str:
    """`schema.readings.properties.co.customProperties.unit` as people say it: `co.unit`."""
    for start in ("customProperties.", "schema.readings.properties.", "slaProperties."):
        key = key.removeprefix(start)
    return key.replace(".customProperties.", ".").removeprefix("description.")


def asked(path: Path) -> set[str]:
    """What is left to a person in a contract besides what always is."""
    own = {"source.", "classification."}
    found = {short(one.key) for one in undecided(path)}
    return {key for key in found
            if key not in ALWAYS and not any(key.startswith(part) for part in own)}  # fmt: skip


def answer(path: Path, answers: Mapping[str, object]) -> None:
    """Write answers where a contract says DECIDE, as an editor would; nothing else is changed."""
    known = ALWAYS | {"fold": "refuse"} | dict(answers)
    lines = path.read_text("utf-8").splitlines()
    for one in undecided(path):
        name = short(one.key)
        fitting = [key for key in known if name == key or name.endswith(f".{key}")]
        assert fitting, f"nobody has an answer for {one.key}"
        value = json.dumps(known[max(fitting, key=len)])
        lines[one.line - 1] = lines[one.line - 1].replace("DECIDE", value)
    path.write_text("\n".join(lines), "utf-8")


def tried(settings: Settings, path: Path, *sample: str) -> Trial:
    candidate = open_candidate(settings, path)
    assert candidate.open == ()
    assert candidate.contract is not None
    return try_source(settings, candidate.contract, sample)


@pytest.mark.slow
def test_a_sample_reaches_the_shared_model(tmp_path):
    """From init to silver: what a newcomer needs is the file, the answers and two commands."""
    lake = Lake.in_folder(tmp_path)
    inbox = lake.settings.inbox / "kaj"
    inbox.mkdir(parents=True)
    lines = [f"K{kaj};2026-03-29 {hour:02d}:00;{kaj * 100 + hour},5"
             for hour in (0, 1, 3, 4) for kaj in (1, 2)]  # fmt: skip
    sample = inbox / "kaj_2026-03-29.csv"
    sample.write_text("\n".join(["Mätare;Tid;Förbrukning (kWh)", *lines]) + "\n", "cp1252")
    wish = Wish(str(sample), "kaj_el", "stockholms_hamnar", "elmatning_hamnen")
    proposal = propose(wish, lake.contracts.vocabulary, lake.settings.inbox)
    path = lake.settings.contracts / "sources" / "kaj_el.yaml"
    path.write_text(proposal.text, "utf-8")
    assert "encoding: cp1252" in proposal.text
    assert "no hour 2026-03-29 02:00" not in proposal.text  # too few rows to say so
    assert "kaj_el" not in lake.contracts.sources
    with pytest.raises(ContractError, match="is a draft"):
        lake.contracts.source("kaj_el")

    answer(path, {"zone": "Europe/Stockholm", "observedProperty": "active_energy"})
    path.write_text(path.read_text("utf-8").replace("status: draft", "status: active"), "utf-8")
    lake.write_reference()
    outcome = ingest_source(lake.settings, lake.contracts.source("kaj_el"))
    lake.build()

    assert (outcome.ledger.landed, outcome.ledger.quarantined) == (8, 0)
    rows = lake.rows("silver.observation", "phenomenon_time, result")
    assert len(rows) == 8
    assert min(rows)[0].isoformat() == "2026-03-28T23:00:00+00:00"
    assert sorted(value for _, value in rows) == sorted(
        kaj * 100 + hour + 0.5 for hour in (0, 1, 3, 4) for kaj in (1, 2)
    )


@pytest.mark.parametrize("name", CASES)
def test_a_sample_becomes_rows(settings, real_data, tmp_path, name):
    case: Case = CASES[name]
    sample = str(real_data / case.sample)
    proposal = proposal_of(settings, Wish(sample, name))
    path = tmp_path / f"{name}.yaml"
    path.write_text(proposal.text, "utf-8")
    assert f"format: {case.format}\n" in proposal.text
    assert asked(path) == case.asks
    before = open_candidate(settings, path)
    assert (before.contract is None) == bool(case.asks)

    answer(path, case.answers)
    found = tried(settings, path, sample)

    assert found.outcome.refused == ()
    truth = case.truth(paths_of(sample))
    landed = {channel.name: channel for channel in found.channels}
    duplicates = found.outcome.ledger.duplicates
    for channel, values in truth.items():
        one = landed[channel]
        assert (one.low, one.high) == (min(values), max(values)), channel
        # Rows delivered twice land once.
        assert len(values) - duplicates <= one.rows <= len(values), channel
        if not duplicates:
            assert one.mean == pytest.approx(statistics.fmean(values)), channel
        assert one.devices == case.devices
    assert case.format == "ngsi_v2" or set(landed) == set(truth)
    held: Counter[str] = Counter()
    for one in found.held:
        held[one.held.rule] += one.held.rows
    assert held == case.held


def test_a_table_of_a_database_becomes_rows(settings, tmp_path):
    database = settings.inbox / "plant.sqlite"
    connection = sqlite3.connect(database)
    with connection:
        connection.execute(
            "create table readings (id integer primary key, mätare text, tid text, kwh real)"
        )
        rows = [(f"M{m}", f"2026-10-19T{h:02d}:00:00Z", 100 * m + h * h / 8)
                for h in range(24) for m in (1, 2)]  # fmt: skip
        connection.executemany("insert into readings (mätare, tid, kwh) values (?, ?, ?)", rows)
    connection.close()
    wish = Wish(f"sqlite:///{database}", "plant", table="readings")
    proposal = proposal_of(settings, wish)
    path = tmp_path / "plant.yaml"
    path.write_text(proposal.text, "utf-8")
    assert proposal.location == "sqlite:///{inbox}/plant.sqlite"
    # Both a register and the energy of an hour are kWh.
    assert asked(path) == {"kwh.observedProperty"}

    answer(path, {"observedProperty": "active_energy_register"})
    found = tried(settings, path)

    (kwh,) = found.channels
    assert (kwh.name, kwh.rows, kwh.devices, kwh.unit) == ("kwh", 48, 2, "kW.h")
    assert (kwh.low, kwh.high) == (100, 200 + 23 * 23 / 8)
    assert kwh.mean == pytest.approx(statistics.fmean(value for *_, value in rows))
    assert kwh.course[0] < kwh.course[-1]
