"""The tables of docs/sources.md, written from the registries: `python -m ingestion.listing`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ingestion.formats import FORMATS, Format
from ingestion.protocols import PROTOCOLS, Protocol
from lakehouse.settings import PROJECT

PAGE: Final = PROJECT / "docs" / "sources.md"


def tables() -> dict[str, str]:
    """The table of each registry as Markdown, by the marker that stands around it."""
    return {"protocols": _table("protocol", PROTOCOLS), "formats": _table("format", FORMATS)}


def listed(text: str) -> str:
    """A page with the tables between its markers written anew."""
    for name, table in tables().items():
        parts = re.split(rf"(?<=<!-- {name} -->\n).*?(?=<!-- /{name} -->)", text, flags=re.S)
        if len(parts) != 2:
            raise ValueError(f"the page should hold the markers of {name} once")
        text = table.join(parts)
    return text


def _table(kind: str, registry: Mapping[str, Format] | Mapping[str, Protocol]) -> str:
    rows = [
        f"| [`{key}`]({_page(kind, key)}#{key}) | {one.title} | {one.source} |"
        for key, one in registry.items()
    ]
    head = [f"| {kind} | what it is | read by |", "| --- | --- | --- |"]
    return "\n".join([*head, *rows]) + "\n"


def _page(kind: str, key: str) -> str:
    """The page whose heading is the key, as the docs folder names it."""
    for page in sorted((PAGE.parent / f"{kind}s").glob("*.md")):
        if f"### `{key}`" in page.read_text(encoding="utf-8"):
            return page.relative_to(PAGE.parent).as_posix()
    raise ValueError(f"no page in docs/{kind}s has the heading ### `{key}`")


def main(page: Path = PAGE) -> None:
    """Write the tables into the page."""
    page.write_text(listed(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
