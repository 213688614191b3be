"""Numbers of nobody: made from dates and a check digit, in Skatteverket's test style.

Numbers from 980 on, of a day, are the ones that Skatteverket keeps for tests.
"""

from datetime import date

from hypothesis import strategies as st

from quality.disclosure.checksums import check_digit

DAYS = st.dates(date(1900, 1, 1), date(2025, 12, 31))


def person_digits(born: date, number: int = 980, *, coordination: bool = False) -> str:
    """Twelve digits of a personnummer or samordningsnummer."""
    day = born.day + (60 if coordination else 0)
    digits = f"{born:%Y%m}{day:02}{number:03}"
    return digits + check_digit(digits[2:])


def written(digits: str) -> list[str]:
    """All ways of writing it."""
    short = digits[2:]
    return [
        digits,
        short,
        f"{digits[:8]}-{digits[8:]}",
        f"{short[:6]}-{short[6:]}",
        f"{short[:6]}+{short[6:]}",
        f"{short[:6]} {short[6:]}",
        f"{short[:6]}\u2013{short[6:]}",
        f"{short[:6]} - {short[6:]}",
    ]


PERSON = person_digits(date(1990, 1, 17))
COORDINATION = person_digits(date(1990, 1, 17), coordination=True)
IMEI = "35209900176148" + check_digit("35209900176148")
