"""The disclosure scan: what must not leave, looked for in one table version or released file.

Told are columns, kinds and numbers of rows; never a value nor a part of one. What is looked for
is in `quality.disclosure.kinds`, how texts are read in `quality.disclosure.texts`, which names
of columns speak of persons in `quality.disclosure.names`.

A plate has no check digit, so its place decides: `ABC 123` anywhere, and in any writing after
a word for a vehicle, is told; as a code it must be at least half of the column's values, and five.
Neither is told if few letters stand before many numbers, as in a series of lamps. A number with
a check digit is told unless the column has twenty or more like it, most with a wrong one, and
no more right ones than chance gives.

Not found: names of persons in a column whose name does not say so (but for those that end in
-sson), plates a driver has chosen, coordinates within a text, single persons behind small numbers
(`quality.audit.small_groups` asks for them), homes behind an id without an address, and what is
encrypted, encoded or in a picture.

Sources: Skatteverket, SKV 704 (personnummer) and SKV 707 (samordningsnummer); Bolagsverket,
organisation numbers (the third digit is at least 2); PTS, the Swedish numbering plan for
telephony (E.164); Transportstyrelsen, registration numbers (no I, Q, V, Å, Ä, Ö; the last
character may be a letter, but not O); Lantmäteriet, numbers of apartments (four digits); 3GPP
TS 23.003 (IMEI); RFC 4291 (IPv6); IEEE 802 (MAC addresses).
"""

from quality.disclosure.kinds import Hit, Kind, Scan
from quality.disclosure.scanning import scan

__all__ = ["Hit", "Kind", "Scan", "scan"]
