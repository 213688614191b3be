"""llms.txt: the site's table of contents for language models.

Source: llmstxt.org; an H1, a summary, then H2 sections with lists of links.
"""

from __future__ import annotations

from collections.abc import Iterator

from publishing import words
from publishing.addresses import Addresses
from publishing.catalogue import Catalogue, Dataset
from publishing.words import markdown

_RULES = (
    "Every dataset has been audited before release. Times are in UTC. An empty value means that "
    'a reading is missing; it never means zero. Answer "no data" when a period has no rows, and '
    "cite the dataset with its version."
)


def llms_text(catalogue: Catalogue, base_url: str) -> str:
    """The content of llms.txt."""
    return "\n".join(_lines(catalogue, Addresses(base_url))) + "\n"


def _lines(catalogue: Catalogue, where: Addresses) -> Iterator[str]:
    yield f"# {catalogue.title.en}\n"
    yield f"> {catalogue.description.en} {catalogue.description.sv}\n"
    yield f"{_RULES}\n"
    yield "## Datasets\n"
    for dataset in catalogue.datasets:
        until = dataset.release.data_until
        told = f"Data until {words.moment(until)}." if until else "No rows yet."
        link = _link(f"{dataset.title.en} ({dataset.title.sv})", where.card(_id(dataset), "en"))
        yield f"{link}: {markdown(dataset.description.en)} {told}"
    yield "\n## Kort på svenska\n"
    for dataset in catalogue.datasets:
        link = _link(dataset.title.sv, where.card(_id(dataset), "sv"))
        yield f"{link}: {markdown(dataset.description.sv)}"
    yield "\n## Optional\n"
    if catalogue.datasets:
        link = _link("DCAT-AP catalogue", f"{where.base_url}/catalog-eu.ttl")
        yield f"{link}: every dataset and file as RDF."
    for dataset in catalogue.datasets:
        url = where.file(_id(dataset), "knowledge.jsonl")
        link = _link(f"{dataset.title.en}, knowledge", url)
        yield f"{link}: self-contained passages with citations."


def _id(dataset: Dataset) -> str:
    return dataset.release.product


def _link(text: str, url: str) -> str:
    shown = markdown(text).replace("[", "\\[").replace("]", "\\]")
    return f"- [{shown}]({url})"
