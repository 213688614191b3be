"""What the name of a column says of its content.

The subject decides: `station_name` names a station, `kund_namn` a person. A column that is
called `name` and nothing more might name anybody, so it is told; a contract can accept it.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final

from quality.disclosure.kinds import Kind


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_PERSONS: Final = _set(
    "person kund customer brukare patient elev student pupil forare driver boende resident "
    "hyresgast tenant anhorig medborgare citizen anstalld employee anvandare user handlaggare "
    "kontaktperson invanare sokande applicant passenger resenar vardnadshavare guardian "
    "vardtagare omsorgstagare klient member medlem"
)
_MAYBE_PERSONS: Final = _set("agare owner contact kontakt client")
"""With a word for a name they name a person; an id of theirs is as often an organisation's."""
_NAMES: Final = frozenset({"namn", "name", "names"})
_NUMBERS: Final = frozenset({"id", "nr", "nummer", "number", "no", "uuid"})
_OF_A_PERSON: Final = _set("first last given family middle full sur maiden")
_COUNTED: Final = _set("antal count share andel sum")

_WORDS: Final[dict[Kind, frozenset[str]]] = {
    "personal_id": _set(
        "personnummer personnr pnr ssn samordningsnummer personid kundnummer kundnr kundid "
        "fodelsedatum birthdate birthday dob anstallningsnummer userid patientid"
    ),
    "person_name": _set(
        "fornamn efternamn mellannamn tilltalsnamn personnamn firstname lastname surname "
        "forename givenname familyname fullname username anvandarnamn kontaktperson "
        "handlaggare kundnamn forarnamn agarnamn"
    ),
    "email": _set("email epost epostadress mejl mejladress"),
    "phone": _set(
        "telefon telefonnummer telefonnr telnr phone phonenumber mobilnummer mobiltelefon msisdn "
        "imsi"
    ),
    "vehicle_plate": _set(
        "regnr regnummer registreringsnummer registreringsskylt numberplate licenseplate "
        "licenceplate"
    ),
    "dwelling": _set(
        "lgh lghnr lghnummer lagenhet lagenhetsnummer lagenhetsnr apartment dwelling hushall "
        "hushallsid household bostadsnummer fastighetsbeteckning"
    ),
    "mac_address": _set("mac macaddress macadress macadr bssid"),
    "ip_address": _set("ipaddress ipadress ipaddr ipv4 ipv6"),
    "imei": frozenset({"imei", "imeisv"}),
}
_PAIRS: Final[dict[Kind, frozenset[tuple[str, str]]]] = {
    "personal_id": frozenset(
        {("social", "security"), ("birth", "date"), ("of", "birth"), ("national", "id")}
    ),
    "email": frozenset({("e", "mail"), ("e", "post")}),
    "vehicle_plate": frozenset(
        {
            ("license", "plate"),
            ("licence", "plate"),
            ("number", "plate"),
            ("reg", "nr"),
            ("registration", "plate"),
            ("registration", "number"),
            ("vehicle", "registration"),
        }
    ),
    "dwelling": frozenset({("home", "id"), ("bostad", "id"), ("property", "designation")}),
    "ip_address": frozenset({("ip", "address"), ("ip", "adress"), ("ip", "addr")}),
}
_ASCII: Final = str.maketrans("åäöéü", "aaoeu")


def words(text: str) -> tuple[str, ...]:
    """The words of a name, in small letters without dots: `förarNamn` is (forar, namn)."""
    apart = re.sub(r"(?<=[a-zåäö0-9])(?=[A-ZÅÄÖ])", "_", text)
    folded = apart.casefold().translate(_ASCII)
    return tuple(word for word in re.split(r"[^a-z0-9]+", folded) if word)


def told_by_name(name: str, labels: tuple[str, ...] = ()) -> tuple[Kind, ...]:
    """The kinds that a column holds by what it is called, of those that names can tell.

    Args:
        name: Its name.
        labels: What people read above it. A label `Namn` says nothing more than the name does.
    """
    found: set[Kind] = set()
    for text in (name, *labels):
        found |= _kinds(words(text))
    if len(words(name)) == 1 and words(name)[0] in _NAMES:
        found.add("person_name")
    return tuple(sorted(found))


def is_a_meter(name: str) -> bool:
    """Whether a column tells a meter or its dwelling apart from others."""
    parts = words(name)
    meters = {"matare", "matar", "matarid", "matarnummer", "meterid", "anlaggningsid"}
    # `radius_meter` is a length.
    is_one = parts[:1] == ("meter",) or any(
        one == "meter" and other in _NUMBERS for one, other in pairwise(parts)
    )
    return is_one or bool(meters & set(parts))


def is_a_version(name: str) -> bool:
    """Whether a column holds versions of software, which are written as IPv4 addresses are."""
    return bool({"version", "firmware", "fw", "release", "programvara"} & set(words(name)))


def axis_of(name: str) -> str | None:
    """`longitude`, `latitude` or `metres` for a column of coordinates."""
    parts = set(words(name))
    if parts & {"longitude", "longitud", "lon", "lng"}:
        return "longitude"
    if parts & {"latitude", "latitud", "lat"}:
        return "latitude"
    return "metres" if parts & {"easting", "northing"} else None


def _kinds(parts: tuple[str, ...]) -> set[Kind]:
    if not parts or _COUNTED & set(parts):
        return set()
    pairs = set(pairwise(parts))
    found: set[Kind] = {kind for kind, known in _WORDS.items() if known & set(parts)}
    found |= {kind for kind, known in _PAIRS.items() if known & pairs}
    persons = _PERSONS | _MAYBE_PERSONS | _OF_A_PERSON
    if any(one in persons and other in _NAMES for one, other in pairs):
        found.add("person_name")
    if any(one in _PERSONS and other in _NUMBERS for one, other in pairs):
        found.add("personal_id")
    if len(parts) == 1 and parts[0] in _PERSONS:
        found.add("person_name")
    return found
