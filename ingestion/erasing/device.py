"""Removing every trace of one device of one source.

The order makes it safe to stop anywhere and begin again: first the landed bytes, so that nothing
can be read anew from them; then the rows of quarantine and bronze, and the ledger, whose counts
are taken from what is there; then the rows of silver and gold. When no table has such a row any
more, each that tells of one in an old file or in its log forgets all but its present version.
Last everything is searched.

Bronze's commit moves the mark `anew`, by which the models drop what they have of the source and
read it again (docs/decisions/0012-anew.md).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa

from ingestion import accounts, landing
from ingestion.erasing import delivered, told
from ingestion.erasing.delivered import Subject
from ingestion.taken import offered
from lakehouse import delta, landing_zone, tables
from lakehouse.contracts import SourceContract
from lakehouse.curated import curated_database
from lakehouse.delta import data_files, erasure
from lakehouse.duck import connect, literal
from lakehouse.errors import LakeError, Problem
from lakehouse.locks import exclusive
from lakehouse.settings import Settings
from lakehouse.traces import Trace, traces_in
from lakehouse.traces.word_in_bytes import Word

_SCRATCH: Final = "erasing"
_MODELS: Final = ("silver", "gold")

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure came to, or would come to.

    Attributes:
        deliveries: Landed deliveries that held the device.
        rewritten: How many of them are kept without its lines.
        bronze_rows: Rows taken out of bronze.
        held_rows: Rows taken out of quarantine.
        ledger_lines: Lines of the ledger that were mended.
        model_rows: Rows taken out of silver and gold.
        tables: Tables that forgot their older versions.
        left: Where the device is still named.
    """

    deliveries: int
    rewritten: int
    bronze_rows: int
    held_rows: int
    ledger_lines: int
    model_rows: int
    tables: tuple[str, ...]
    left: tuple[Trace, ...]

    @property
    def is_nothing(self) -> bool:
        """Whether nothing told of the device in the first place."""
        found = self.deliveries + self.bronze_rows + self.held_rows + self.ledger_lines
        return not (found + self.model_rows or self.tables or self.left)


def erase_device(
    settings: Settings,
    contract: SourceContract,
    device: str,
    *,
    sources: Iterable[str],
    decision: Mapping[str, str],
    dry_run: bool = False,
    tell: Tell = lambda _step: None,
) -> Erased:
    """Remove a device of a source from landing zone, tables, their logs and older versions.

    Everything else that works on the lake waits, or is waited for.

    Args:
        settings: The lake.
        contract: The source.
        device: The device, as bronze has it.
        sources: Every source of the lake.
        decision: Who decided it and why; kept in the commits.
        dry_run: Only look.
        tell: Called with what each step came to.

    Raises:
        Busy: Others are working on the lake.
        LakeError: The contract or the decision names the device, or a table cannot be rewritten;
            what was done until then stays done, and it can be run again.
    """
    if not any(one.isalnum() for one in device):
        raise LakeError(
            Problem("--device", f"'{device}' is no device", "Write it as bronze has it.")
        )
    with ExitStack() as stack:
        for work in (
            "run",
            "maintain",
            "transformation",
            *(f"ingest.{one}" for one in sorted(sources)),
        ):
            stack.enter_context(exclusive(settings, work))
        subject = Subject(settings, contract, device, Word.of(device, _devices(settings)))
        _require_unnamed(subject, decision)
        scratch = settings.home / _SCRATCH
        for left in (scratch, settings.home / "anew" / contract.id):
            shutil.rmtree(left, ignore_errors=True)  # a killed attempt's
        accounts.repair(settings, contract.id)
        try:
            return _Erasing(subject, decision, scratch, dry_run, tell).run()
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def _devices(settings: Settings) -> set[str]:
    """Every device that bronze has."""
    found: set[str] = set()
    for address in sorted((settings.lake / "bronze").glob("*")):
        if not delta.exists(address):
            continue
        with connect(extensions=()) as connection:
            rows = data_files.whole(connection, delta.open_table(address))
            if rows:
                listed = connection.execute(f"select distinct device from {rows}").fetchall()
                found |= {device for (device,) in listed}
    return found


def _require_unnamed(subject: Subject, decision: Mapping[str, str]) -> None:
    path = subject.contract.path
    if any(subject.word.is_in(text) for text in decision.values()):
        what = "who decided it or why names the device, and would be kept"
        raise LakeError(Problem("--by, --why", what, "Write a role, and the number of the matter."))
    if subject.word.is_in(path.read_text(encoding="utf-8")):
        what = "the contract names the device, and would bring it back"
        raise LakeError(Problem(str(path), what, "Take it out of the contract first."))


@dataclass(frozen=True, slots=True)
class _Erasing:
    """The steps, in their order."""

    subject: Subject
    decision: Mapping[str, str]
    scratch: Path
    dry_run: bool
    tell: Tell

    @property
    def settings(self) -> Settings:
        return self.subject.settings

    @property
    def source_id(self) -> str:
        return self.subject.contract.id

    def run(self) -> Erased:
        deliveries, rewritten = self._landed()
        held = self._quarantine()
        bronze = self._bronze()
        lines = 0 if self.dry_run else told.mend(self.subject, self._note(), self.tell)
        models = self._models()
        forgotten = () if self.dry_run else self._history()
        left = tuple(self._search())
        return Erased(deliveries, rewritten, bronze, held, lines, models, tuple(forgotten), left)

    def _note(self) -> dict[str, str]:
        """What commits say; bronze's ledger is read back to one that tells its batch."""
        batch = delta.mark_of(tables.bronze(self.settings, self.source_id), "batch")
        return {"erasure": self.source_id, "batch": str(batch), **self.decision}

    # --- the landing zone -------------------------------------------------------------------

    def _landed(self) -> tuple[int, int]:
        """Remove the bytes that hold the device; keep what others have of them."""
        offers = offered(self.settings, self.source_id)
        known = self._deliveries_of_rows()
        deleted = rewritten = 0
        for path in landing.files(self.settings, self.source_id):
            sha256 = path.name
            if landing_zone.is_erased(self.settings, self.source_id, sha256):
                if not self.dry_run:  # a killed attempt's
                    path.unlink()
                continue
            offer = offers.get(sha256)
            shutil.rmtree(self.scratch, ignore_errors=True)
            self.scratch.mkdir(parents=True)
            if offer is None:  # of a taking that did not end: the supplier's is still there
                if not self.dry_run and any(traces_in(path, self.subject.word)):
                    path.unlink()
                continue
            found = delivered.look(self.subject, offer, self.scratch)
            if not (found.holds or sha256 in known):
                continue
            may_stay = found.holds and found.others  # else nobody knows where in it the device is
            rest = delivered.without(self.subject, offer, self.scratch) if may_stay else None
            rewritten += rest is not None
            deleted += rest is None
            if not self.dry_run:
                landing.erase(self.settings, self.source_id, sha256, rest)
        shutil.rmtree(self.scratch, ignore_errors=True)
        missing = [
            sha256
            for sha256 in sorted(known)
            if not landing_zone.address(self.settings, self.source_id, sha256).exists()
            and not landing_zone.is_erased(self.settings, self.source_id, sha256)
        ]
        for sha256 in () if self.dry_run else missing:  # else nobody would mend their lines
            landing.erase(self.settings, self.source_id, sha256, None)
        self.tell(
            f"landing: {rewritten + deleted:,} deliveries held it; {rewritten:,} are kept without "
            f"its lines, the bytes of {deleted:,} are gone"
        )
        return rewritten + deleted, rewritten

    def _deliveries_of_rows(self) -> set[str]:
        """Deliveries that bronze has rows of the device from, and that nothing was erased of yet.

        Of the others a killed attempt has seen to the bytes, or they are asked themselves.
        """
        address = tables.bronze(self.settings, self.source_id)
        if not delta.exists(address):
            return set()
        rows = data_files.rows_where(
            delta.open_table(address), "device", self.subject.device, ["_delivery"]
        )
        return {
            sha256
            for sha256 in rows["_delivery"].to_pylist()
            if not landing_zone.is_erased(self.settings, self.source_id, sha256)
        }

    # --- rows -------------------------------------------------------------------------------

    def _bronze(self) -> int:
        address = tables.bronze(self.settings, self.source_id)
        if not delta.exists(address):
            return 0
        done = erasure.take_out(
            address,
            f"device = {literal(self.subject.device)}",
            marks={"anew": delta.mark_of(address, "anew") + 1},
            note=self._note(),
            dry_run=self.dry_run,
        )
        self.tell(f"bronze: {done.rows:,} rows, out of {done.files:,} files")
        return done.rows

    def _quarantine(self) -> int:
        address = tables.quarantine(self.settings, self.source_id)
        if not delta.exists(address):
            return 0
        gone = told.naming(["reason", "channel", "raw", "name", "_member"], self.subject.word)
        done = erasure.take_out(
            address,
            gone,
            prepare=told.prepared(self.subject.word),
            note=self._note(),
            dry_run=self.dry_run,
        )
        self.tell(f"quarantine: {done.rows:,} rows, out of {done.files:,} files")
        return done.rows

    def _models(self) -> int:
        """Take the device's rows out of silver and gold; what was counted of them a build does.

        A row too many does no harm: the models read the whole source again.
        """
        rows = 0
        thing = f"{self.source_id}/{self.subject.device}"
        word = Word(thing)
        for name, address in tables.every(self.settings).items():
            if name.split(".")[0] not in _MODELS:
                continue
            schema = pa.schema(delta.open_table(address).schema().to_arrow())
            gone = told.of_thing(schema, self.source_id, self.subject.device, word)
            if not gone:
                continue
            done = erasure.take_out(
                address,
                gone,
                prepare=told.prepared(word),
                note=self._note(),
                dry_run=self.dry_run,
            )
            if done.rows:
                self.tell(f"{name}: {done.rows:,} rows, out of {done.files:,} files")
            rows += done.rows
        return rows

    # --- what tells of rows that were -------------------------------------------------------

    def _history(self) -> Sequence[str]:
        """Let tables forget what they were, where that tells of the device."""
        done = []
        own = {
            tables.bronze(self.settings, self.source_id),
            tables.quarantine(self.settings, self.source_id),
            tables.ledger(self.settings),
        }
        for name, address in tables.every(self.settings).items():
            is_ours = address in own or name.split(".")[0] in (*_MODELS, "reference")
            if is_ours and any(traces_in(address, self.subject.word)):
                erasure.forget(address, self._note())
                done.append(name)
        if done:
            self.tell(f"history: {len(done):,} tables keep only their present version")
        if any(name.split(".")[0] in _MODELS for name in done):
            # It reads files that are gone; the next build makes it.
            curated_database(self.settings).unlink(missing_ok=True)
        return done

    def _search(self) -> Sequence[Trace]:
        roots = [self.settings.home]
        if not self.settings.inbox.is_relative_to(self.settings.home):
            roots.append(self.settings.inbox)
        found = [trace for root in roots for trace in traces_in(root, self.subject.word)]
        files = len({trace.path for trace in found})
        times = sum(trace.hits for trace in found)
        self.tell(
            f"search: named {times:,} times in {files:,} files" if found else "search: nothing"
        )
        return found
