"""Letters to information owners, in plain Swedish: what happened, to what, since when, what now.

One letter for each change of state, not for each run: a product that is refused every morning for
the same reason is told once, and once more when it is well again. Each letter is a file under
`<home>/letters/`; channels may carry it further.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

from lakehouse.contracts import ProductContract
from lakehouse.decisions import Decision
from lakehouse.flushing import write_whole
from lakehouse.settings import Settings
from lakehouse.verdicts import Check, Verdict
from publishing.explanations import meaning
from publishing.releases.manifest import newest_release

Gate = Literal["audit", "sharing"]

_HEADINGS: Final = {"audit": "underkändes i granskningen", "sharing": "får inte delas"}
_REMEDIES: Final = {
    "audit": (
        "Be den som levererar eller bygger datamängden att rätta felet. När granskningen godkänns "
        "släpps nästa utgåva av sig själv."
    ),
    "sharing": (
        "Fatta beslut om delning, eller ändra klassning och dataavtal. docs/delning.md förklarar "
        "reglerna. När inget längre hindrar släpps nästa utgåva av sig själv."
    ),
}


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter to the information owner of one product.

    Attributes:
        product: Product id.
        to: Address of the contact that the contract names.
        subject: What it is about, in a line.
        body: The letter.
    """

    product: str
    to: str
    subject: str
    body: str


def of_audit(settings: Settings, contract: ProductContract, verdict: Verdict) -> Letter | None:
    """The letter about an audit, if it says something else than the last one did."""
    lines = [_check(check) for check in verdict.checks if check.is_against]
    lines += [f"Granskningen kunde inte slutföras: {reason}" for reason in verdict.unmade]
    if not verdict.passed and not lines:
        lines = ["Ingenting granskades."]
    return _letter(settings, contract, "audit", lines, verdict.audited_at)


def of_sharing(settings: Settings, contract: ProductContract, decision: Decision) -> Letter | None:
    """The letter about a decision of the sharing policy, if it says something else."""
    lines = [f"{one.sv} (regeln {one.rule}; {one.law})" for one in decision.objections]
    if not decision.allowed and not lines:
        lines = ["Ingen regel kunde prövas."]
    return _letter(settings, contract, "sharing", lines, _now())


def of_withdrawal(contract: ProductContract, reason: str, at: str) -> Letter:
    """The letter about a product that was withdrawn."""
    title = contract.publication.title.sv
    body = (
        f"Datamängden ”{title}” ({contract.id}) återkallades {at}.\n\nSkäl: {reason}\n\n"
        "Den finns inte längre på portalen, i katalogen eller för AI-assistenter, och släpps inte "
        f"igen förrän någon kör ”sjostad reinstate {contract.id}”. De som har hämtat den tidigare "
        "kan inte nås härifrån; på dess sida står varför den är borta.\n"
    )
    return Letter(contract.id, contract.publication.contact.email, f"Återkallad: {title}", body)


def keep(settings: Settings, letter: Letter) -> Path:
    """Keep a letter as a file; nothing is lost where no channel is set up or one fails."""
    folder = settings.letters
    folder.mkdir(parents=True, exist_ok=True)
    text = f"Till: {letter.to}\nÄrende: {letter.subject}\n\n{letter.body}"
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    path = folder / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{letter.product}-{digest}.txt"
    write_whole(path, text.encode())
    return path


def _letter(
    settings: Settings, contract: ProductContract, gate: Gate, lines: Sequence[str], at: str
) -> Letter | None:
    path = settings.letters / f".{contract.id}.{gate}.json"
    before = _state(path)
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest() if lines else None
    if digest == (before or {}).get("digest"):
        return None
    since = str((before or {}).get("since") or at)
    path.parent.mkdir(parents=True, exist_ok=True)
    if digest is None:
        path.unlink()
        return _well_again(contract, gate, since)
    state = {"digest": digest, "since": since}
    write_whole(path, json.dumps(state).encode())
    return _refused(settings, contract, gate, lines, since)


def _state(path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return told


def _refused(
    settings: Settings, contract: ProductContract, gate: Gate, lines: Sequence[str], since: str
) -> Letter:
    title, heading = contract.publication.title.sv, _HEADINGS[gate]
    last = newest_release(settings, contract.id)
    shown = (
        f"Utgåva {last.number} från {last.issued[:10]} ligger kvar, med data till och med "
        f"{last.data_until or 'okänd tid'}."
        if last
        else "Ingen utgåva har släppts, så inget visas."
    )
    listed = "\n".join(f"  - {line}" for line in lines)
    body = (
        f"Datamängden ”{title}” ({contract.id}) {heading}, senast prövad {_now()}.\n\n"
        f"Vad som hände:\n{listed}\n\nSedan: {since}\n\nVad som visas nu: {shown}\n\n"
        f"Vad du kan göra: {_REMEDIES[gate]}\n"
    )
    return Letter(contract.id, contract.publication.contact.email, f"{title} {heading}", body)


def _well_again(contract: ProductContract, gate: Gate, since: str) -> Letter:
    title = contract.publication.title.sv
    word = "godkänns i granskningen igen" if gate == "audit" else "får delas igen"
    body = f"Datamängden ”{title}” ({contract.id}) {word}. Det hade den inte gjort sedan {since}.\n"
    return Letter(contract.id, contract.publication.contact.email, f"{title} {word}", body)


def _check(check: Check) -> str:
    where = f"kolumnen {check.column}" if check.column else "hela tabellen"
    rows = f", {check.unexpected} rader" if check.unexpected else ""
    return f"{meaning(check).sv} Det gällde inte för {where}{rows}."


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="minutes")
