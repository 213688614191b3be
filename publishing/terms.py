"""Closed vocabularies of publishing: licences, themes, frequencies, media types, in words and IRIs.

Source: DCAT-AP-SE 3.0.1 bundle.json; EU authority tables (publications.europa.eu).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lakehouse.contracts.product import Text

AUTHORITY: Final = "http://publications.europa.eu/resource/authority"


@dataclass(frozen=True, slots=True)
class Licence:
    """A licence: its name for people, its IRI in the Swedish form and in the European one."""

    name: str
    iri: str
    eu_iri: str


LICENCES: Final = {
    "CC0-1.0": Licence(
        "CC0 1.0",
        "http://creativecommons.org/publicdomain/zero/1.0/",
        f"{AUTHORITY}/licence/CC0",
    ),
    "CC-BY-4.0": Licence(
        "CC BY 4.0",
        "http://creativecommons.org/licenses/by/4.0/",
        f"{AUTHORITY}/licence/CC_BY_4_0",
    ),
    "ODbL-1.0": Licence(
        "ODbL 1.0",
        "http://opendatacommons.org/licenses/odbl/1-0/",
        f"{AUTHORITY}/licence/ODC_BL",
    ),
}
"""http and a trailing slash: the harvester of dataportal.se knows no other spelling."""


@dataclass(frozen=True, slots=True)
class FileFormat:
    """A form that rows are offered in.

    Attributes:
        name: Name for people, and the last part of the distribution's IRI in lower case.
        media_type: Media type; a literal in DCAT-AP-SE, an IANA IRI in DCAT-AP.
        eu_format: Code in the EU file-type table.
        standard: IRI of the standard that the file follows.
    """

    name: str
    media_type: str
    eu_format: str
    standard: str | None


FORMATS: Final = {
    "csv": FileFormat("CSV", "text/csv", "CSV", "https://www.rfc-editor.org/rfc/rfc4180"),
    "parquet": FileFormat("Parquet", "application/vnd.apache.parquet", "PARQUET", None),
}

MEDIA_TYPES: Final = {
    ".csv": "text/csv",
    ".parquet": "application/vnd.apache.parquet",
    ".md": "text/markdown",
    ".jsonl": "application/jsonl",
}

THEMES: Final = {
    "AGRI": Text(sv="Jordbruk, fiske, skogsbruk och livsmedel", en="Agriculture and food"),
    "ECON": Text(sv="Ekonomi och finans", en="Economy and finance"),
    "EDUC": Text(sv="Utbildning, kultur och sport", en="Education, culture and sport"),
    "ENER": Text(sv="Energi", en="Energy"),
    "ENVI": Text(sv="Miljö", en="Environment"),
    "GOVE": Text(sv="Regeringen och den offentliga sektorn", en="Government and public sector"),
    "HEAL": Text(sv="Hälsa", en="Health"),
    "INTR": Text(sv="Internationella frågor", en="International issues"),
    "JUST": Text(sv="Rättvisa, rättsliga system och allmän säkerhet", en="Justice and safety"),
    "SOCI": Text(sv="Befolkning och samhälle", en="Population and society"),
    "REGI": Text(sv="Regioner och städer", en="Regions and cities"),
    "TECH": Text(sv="Vetenskap och teknik", en="Science and technology"),
    "TRAN": Text(sv="Transport", en="Transport"),
}

FREQUENCIES: Final = {
    "CONT": Text(sv="löpande", en="continuously"),
    "UPDATE_CONT": Text(sv="löpande", en="continuously"),
    "DAILY_2": Text(sv="två gånger om dagen", en="twice a day"),
    "DAILY": Text(sv="dagligen", en="daily"),
    "WEEKLY": Text(sv="varje vecka", en="weekly"),
    "MONTHLY": Text(sv="varje månad", en="monthly"),
    "QUARTERLY": Text(sv="varje kvartal", en="quarterly"),
    "ANNUAL": Text(sv="varje år", en="annually"),
    "IRREG": Text(sv="oregelbundet", en="irregularly"),
    "NEVER": Text(sv="uppdateras inte", en="never"),
}

TYPE_NAMES: Final = {
    "string": Text(sv="text", en="text"),
    "integer": Text(sv="heltal", en="integer"),
    "number": Text(sv="tal", en="number"),
    "boolean": Text(sv="ja/nej", en="true/false"),
    "date": Text(sv="datum", en="date"),
    "timestamp": Text(sv="tidpunkt (UTC)", en="instant (UTC)"),
}
