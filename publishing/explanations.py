"""What the checks of an audit mean, in words a citizen can use."""

from __future__ import annotations

from typing import Final

from lakehouse.contracts.product import Text
from lakehouse.verdicts import Check, Verdict

_MEANINGS: Final = {
    "expect_column_values_to_not_be_null": Text(
        sv="Värdet får inte saknas.", en="The value must not be missing."
    ),
    "expect_column_values_to_be_between": Text(
        sv="Värdet ska ligga inom rimliga gränser.", en="The value must lie within sane limits."
    ),
    "expect_column_values_to_be_unique": Text(
        sv="Samma värde får inte förekomma två gånger.", en="No value may occur twice."
    ),
    "expect_compound_columns_to_be_unique": Text(
        sv="Samma mätning får inte förekomma två gånger.", en="No measurement may occur twice."
    ),
    "expect_table_row_count_to_be_between": Text(
        sv="Antalet rader ska vara rimligt.", en="The number of rows must be sane."
    ),
    "expect_column_values_to_be_in_set": Text(
        sv="Värdet ska finnas i en fast lista.", en="The value must be one of a fixed list."
    ),
    "expect_column_values_to_match_regex": Text(
        sv="Värdet ska ha rätt form.", en="The value must have the right form."
    ),
    "expect_column_values_to_be_of_type": Text(
        sv="Värdet ska vara av rätt slag.", en="The value must be of the right type."
    ),
    "expect_table_columns_to_match_set": Text(
        sv="Kolumnerna ska vara de utlovade.", en="The columns must be the promised ones."
    ),
    "nothing_disclosed": Text(
        sv="Inget ska röja en person eller ett hem.", en="Nothing may tell of a person or a home."
    ),
    "no_small_group": Text(
        sv="Inget tal får gälla färre än så många som avtalet säger.",
        en="No number may be of fewer than the contract says.",
    ),
    "nothing_worked_out": Text(
        sv="Inget dolt tal får kunna räknas fram ur summor som redovisas.",
        en="No withheld number may follow from totals that are told.",
    ),
    "no_small_difference": Text(
        sv="Skillnaden mellan två summor får inte gälla ett fåtal.",
        en="No difference of two totals may be of a few.",
    ),
    "totals_add_up": Text(
        sv="Summor ska vara summan av sina delar, annars vet ingen vad de röjer.",
        en="Totals must be the sums of their parts, or nobody knows what they give away.",
    ),
    "enough_values_left": Text(
        sv="Ett dolt tal ska inte kunna ringas in snävt.",
        en="A withheld number should not be known to within a few.",
    ),
    "no_small_change": Text(
        sv="En ändring av ett tal som har redovisats får inte gälla ett fåtal.",
        en="No change of a number that was told may be of a few.",
    ),
    "no_key_in_two_partitions": Text(
        sv="Samma mätning får inte förekomma i två delar av tabellen.",
        en="No measurement may occur in two parts of the table.",
    ),
    "every_row_has_a_time": Text(sv="Varje rad ska ha en tid.", en="Every row must have a time."),
    "no_row_is_ahead_of_time": Text(
        sv="Ingen rad får ligga i framtiden.", en="No row may be of the future."
    ),
    "no_day_is_lost": Text(
        sv="Dagar som har funnits får inte försvinna.", en="Days that were there must not vanish."
    ),
    "no_gap_in_days": Text(
        sv="Ingen dag ska saknas mellan den första och den sista.",
        en="No day must be missing between the first and the last.",
    ),
    "rows_as_usual": Text(
        sv="Antalet rader per dag ska likna tidigare dagars.",
        en="The number of rows a day must be like that of earlier days.",
    ),
    "values_as_usual": Text(
        sv="Värdena ska likna tidigare dagars.", en="The values must be like those of earlier days."
    ),
    "as_fresh_as_usual": Text(
        sv="De senaste värdena ska vara lika nya som de brukar.",
        en="The newest values must be as recent as they usually are.",
    ),
    "expect_column_to_exist": Text(sv="Kolumnen ska finnas.", en="The column must exist."),
    "expect_column_max_to_be_between": Text(
        sv="De senaste värdena ska vara tillräckligt nya.", en="The newest values must be recent."
    ),
}

_OTHER: Final = Text(sv="Särskild kontroll i dataavtalet.", en="A check of the data contract.")


def meaning(check: Check) -> Text:
    """What one check makes sure of."""
    return _MEANINGS.get(check.expectation, _OTHER)


def outcome(check: Check) -> Text:
    """What came of one check, in a word."""
    if check.passed:
        return Text(sv="Godkänd", en="Passed")
    if check.severity == "warning":
        return Text(sv="Anmärkning", en="Warning")
    return Text(sv="Underkänd", en="Failed")


def mark(verdict: Verdict) -> Text:
    """The verdict of a release in a word or three, for a badge."""
    if all(check.passed for check in verdict.checks):
        return Text(sv="Godkänd", en="Passed")
    return Text(sv="Godkänd med anmärkning", en="Passed with warnings")


def summary(verdict: Verdict) -> Text:
    """The verdict in one sentence."""
    made = len(verdict.checks)
    held = sum(check.passed for check in verdict.checks)
    if held == made:
        return (
            Text(sv=f"Alla {made} kontroller godkända.", en=f"All {made} checks passed.")
            if made > 1
            else Text(sv="Kontrollen godkänd.", en="The check passed.")
        )
    return Text(
        sv=f"{held} av {made} kontroller godkända; resten är anmärkningar som inte hindrar "
        "publicering.",
        en=f"{held} of {made} checks passed; the others are warnings that do not stop publication.",
    )
