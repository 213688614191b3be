"""The commands of the audit log: is it whole, what was done, and what belongs to an incident."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Final, get_args

import typer
from rich.markup import escape

from lakehouse import audit_log
from lakehouse.audit_log import Action, Entry, Outcome
from lakehouse.audit_log.lines import written
from lakehouse.contracts import ProductContract
from lakehouse.errors import Problem, SettingsError
from lakehouse.flushing import write_whole
from lakehouse.settings import Settings
from orchestration.commands import report
from orchestration.commands.options import ContractsOption, HomeOption, JsonOption, lake

EXIT_FAILED: Final = 1

log_app = typer.Typer(
    help="The audit log: who did what to what, in lines that show if they were changed.",
    no_args_is_help=True,
)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("expected 2026-10-19 or 2026-10-19T08:00, in UTC") from None
    return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)


def _end(text: str) -> datetime:
    """A day as an end is the whole day."""
    moment = _moment(text)
    return moment + timedelta(days=1) if len(text) == len("2026-10-19") else moment


def _action(text: str) -> str:
    if text not in get_args(Action):
        raise typer.BadParameter(f"expected one of {', '.join(get_args(Action))}")
    return text


@log_app.command()
def verify(
    contracts: ContractsOption = None, home: HomeOption = None, as_json: JsonOption = False
) -> None:
    """Walk every line and every signed head; name the first that is not as it was written.

    Exit code 1 if one is not. Example: `sjostad log verify --json`.
    """
    outcome = audit_log.verify(Settings.from_environment(contracts=contracts, home=home))
    if as_json:
        report.print_json(asdict(outcome) | {"is_whole": outcome.is_whole})
    else:
        _tell(outcome)
    if not outcome.is_whole:
        raise typer.Exit(EXIT_FAILED)


@log_app.command()
def show(
    about: Annotated[
        str | None, typer.Option("--object", help="Such as product/luftkvalitet_timme.")
    ] = None,
    since: Annotated[
        datetime | None, typer.Option(parser=_moment, metavar="TIME", help="In UTC.")
    ] = None,
    action: Annotated[
        str | None, typer.Option(parser=_action, metavar="ACTION", help="Such as released.")
    ] = None,
    last: Annotated[int, typer.Option(min=1, help="At most so many, the newest.")] = 50,
    contracts: ContractsOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what was done; with --json all of it, else the newest lines.

    Example: `sjostad log show --object product/luftkvalitet_timme --since 2026-10-01`.
    """
    settings = Settings.from_environment(contracts=contracts, home=home)
    found = [
        entry
        for entry in audit_log.entries(settings, since.date() if since else None)
        if (about is None or about in (entry.object, entry.object.partition("/")[2]))
        and (since is None or entry.time >= since)
        and (action is None or entry.action == action)
    ]
    if as_json:
        report.print_json([asdict(entry) for entry in found])
        return
    if not found:
        report.say("No such line.")
        return
    table = report.table_of("Audit log (times in UTC)", "line", "at", "actor", "action", "object",
                            "outcome", "details")  # fmt: skip
    for column in table.columns:
        column.overflow = "fold"  # an object cut short could be any
    for entry in found[-last:]:
        told = ", ".join(f"{name} {value}" for name, value in entry.details.items())
        words = (
            entry.at[:19].replace("T", " "),
            entry.actor,
            entry.action,
            entry.object,
            entry.outcome,
            told,
        )
        table.add_row(f"{entry.number:,}", *map(escape, words))
    report.out.print(table)
    if len(found) > last:
        report.say(f"… and {len(found) - last:,} before these; --last shows more, --json all.")


@log_app.command()
def incident(
    product: Annotated[str, typer.Argument(help="Product; its sources are looked at, too.")],
    since: Annotated[datetime, typer.Option(parser=_moment, metavar="TIME", help="In UTC.")],
    until: Annotated[
        datetime, typer.Option(parser=_end, metavar="TIME", help="In UTC; a day is all of it.")
    ],
    to: Annotated[
        Path | None, typer.Option("--to", help="File to write; a covering text lies beside it.")
    ] = None,
    contracts: ContractsOption = None,
    home: HomeOption = None,
) -> None:
    """Gather what was done to a product and its sources, for the reports of an incident.

    JSON lines as they stand in the log, and a short covering text in Swedish and English for the
    24-hour warning, the 72-hour report and the report of one month. Exit code 1 if the log is not
    whole; what could be read is written all the same, and the text says so.

    Example: `sjostad log incident luftkvalitet_timme --since 2026-10-18 --until 2026-10-20 --to
    incident.jsonl`.
    """
    settings, known = lake(contracts, None, home)
    objects = _objects(known.product(product))
    outcome = audit_log.verify(settings)
    found = list(audit_log.incident(settings, objects, since, until))
    lines = b"".join(written(entry) for entry in found)
    text = _covering(objects, since, until, found, outcome)
    if to is None:
        sys.stdout.write(lines.decode("utf-8"))
        typer.echo(text, err=True)
    else:
        _keep(to, lines, text)
    if not outcome.is_whole:
        raise typer.Exit(EXIT_FAILED)


@log_app.command()
def sign(contracts: ContractsOption = None, home: HomeOption = None) -> None:
    """Sign the heads of days that are over and have none, once it is known why they have none.

    The log signs by itself when a new day begins. Example: `sjostad log sign`.
    """
    made = audit_log.sign_heads(Settings.from_environment(contracts=contracts, home=home))
    for path in made:
        report.say(f"Signed: {path}")
    if not made:
        report.say("Every day that is over has a signed head.")


def _tell(outcome: Outcome) -> None:
    say = report.out.print
    if outcome.broken is not None:
        broken = outcome.broken
        say(f"[bold red]✗[/] [bold]{escape(f'{broken.path}:{broken.line}')}[/]", soft_wrap=True)
        say(f"  {broken.what}: {escape(broken.why)}")
        say("  [green]→[/] Leave the files as they are, copy them, and report it as an incident.")
    elif not outcome.events:
        say("The audit log is empty.")
    else:
        say(
            f"[green]✓[/] {outcome.events:,} lines in {outcome.days:,} days hold together, "
            f"{outcome.signed:,} days are signed, {outcome.unsigned:,} lines are not yet."
        )
        say(f"  The last line is {outcome.events:,}, sha-256 {outcome.digest}", soft_wrap=True)
    for place in outcome.closed_off:
        say(f"  [yellow]•[/] torn by a crash and closed off: {escape(place)}", soft_wrap=True)
    if outcome.open_end:
        place = escape(outcome.open_end)
        say(f"  [yellow]•[/] torn or being written, not closed off yet: {place}", soft_wrap=True)


def _objects(product: ProductContract) -> tuple[str, ...]:
    """The names under which the log knows a product and what it is made from."""
    sources = product.publication.sources
    return (
        f"product/{product.id}",
        f"model/{product.model}",
        *(f"source/{one}" for one in sources),
    )


def _keep(to: Path, lines: bytes, text: str) -> None:
    beside = to.with_name(to.name + ".txt")
    for path in (to, beside):
        if path.exists():
            raise SettingsError(Problem(str(path), "it is there already", "Name another file."))
    if not to.parent.is_dir():
        raise SettingsError(Problem(str(to.parent), "there is no such folder", "Make it first."))
    write_whole(to, lines)
    write_whole(beside, text.encode("utf-8"))
    report.say(f"Written: {to} and {beside.name}")


def _covering(
    objects: Sequence[str],
    since: datetime,
    until: datetime,
    found: Sequence[Entry],
    outcome: Outcome,
) -> str:
    """What the lines are, in the two languages that receivers read."""
    period = f"{since:%Y-%m-%d %H:%M} – {until:%Y-%m-%d %H:%M} UTC"
    sv, en = "Loggen är hel.", "The log is whole."
    if outcome.broken is not None:
        sv = f"VARNING: loggen är inte hel. Första felet: {outcome.broken}"
        en = f"WARNING: the log is not whole. The first fault: {outcome.broken}"
    bad = sum(entry.outcome != "done" for entry in found)
    return (
        "Underlag för incidentrapport enligt cybersäkerhetslagen (2025:1506)\n"
        f"Gäller: {', '.join(objects)}\nPeriod: {period}\n"
        f"Händelser: {len(found)}, varav {bad} nekade eller misslyckade.\n{sv} "
        f"Rader: {outcome.events}, sha-256 för den sista: {outcome.digest}\n"
        "Tidsgränser från det att incidenten blev känd: varning inom 24 timmar, anmälan inom 72 "
        "timmar, slutrapport inom en månad från anmälan.\nAktörer är roller eller pseudonymer.\n\n"
        "Basis for an incident report under the Swedish Cybersecurity Act (2025:1506)\n"
        f"About: {', '.join(objects)}\nPeriod: {period}\n"
        f"Events: {len(found)}, of which {bad} were refused or failed.\n{en} "
        f"Lines: {outcome.events}, sha-256 of the last: {outcome.digest}\n"
        "Time limits from when the incident became known: warning within 24 hours, notification "
        "within 72 hours, final report within one month of that.\nActors are roles or pseudonyms.\n"
    )
