"""What the assistant knows: the releases in the open database, and how to find them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from lakehouse.errors import Problem, SjostadError
from lakehouse.settings import Settings
from publishing import words
from publishing.addresses import Addresses
from publishing.assistant.answers import (
    Citation,
    DescribeAnswer,
    DescribedCheck,
    DescribedColumn,
    Example,
    Found,
)
from publishing.catalogue.open_database import open_database, released_numbers
from publishing.explanations import meaning, summary
from publishing.releases.manifest import Release, load_release
from publishing.terms import FREQUENCIES, LICENCES


class DatasetUnknown(SjostadError):
    """There is no such open dataset."""


def library(settings: Settings) -> tuple[Release, ...]:
    """The releases in the open database, in id order; none before the first site is built."""
    path = open_database(settings)
    numbers = released_numbers(path) if path.is_file() else {}
    return tuple(
        load_release(settings, product, number) for product, number in sorted(numbers.items())
    )


def find(releases: Iterable[Release], dataset_id: str) -> Release:
    """One dataset by its id.

    Raises:
        DatasetUnknown: With the ids that there are.
    """
    known = {release.product: release for release in releases}
    if dataset_id not in known:
        raise DatasetUnknown(
            Problem(
                "dataset_id",
                f"there is no dataset '{words.plain(dataset_id, 80)}'",
                f"Known: {', '.join(known) or 'none yet'}.",
            )
        )
    return known[dataset_id]


def search(releases: Iterable[Release], query: str) -> list[Release]:
    """Releases that mention any word of the query, best first; all of them for no words.

    Words match inside longer ones, because Swedish writes compounds as one word.
    """
    asked = [word for word in words.plain(query, 500).casefold().split() if len(word) > 1]
    scored = [(_score(release, asked), release) for release in releases]
    hits = [(score, release) for score, release in scored if score or not asked]
    return [release for _, release in sorted(hits, key=lambda hit: (-hit[0], hit[1].product))]


def cite(release: Release, settings: Settings) -> Citation:
    """The citation of a release, retrieved now."""
    where = Addresses(settings.base_url)
    title = release.publication.title
    return Citation(
        dataset_iri=where.dataset(release.product),
        title=words.plain(f"{title.sv} / {title.en}"),
        version=release.version,
        licence=LICENCES[release.publication.licence].iri,
        publisher=words.plain(release.publisher.name.sv),
        url=where.page(release.product),
        retrieved_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )


def common_end(releases: Sequence[Release]) -> str | None:
    """The last time that all of these releases speak of."""
    ends = [release.data_until for release in releases if release.data_until]
    return min(ends, default=None)


def found(release: Release) -> Found:
    """A release as one line of a search."""
    publication = release.publication
    return Found(
        dataset_id=release.product,
        title_sv=words.plain(publication.title.sv),
        title_en=words.plain(publication.title.en),
        description_sv=words.plain(publication.description.sv, 500),
        description_en=words.plain(publication.description.en, 500),
        rows=release.rows,
        data_until=release.data_until,
    )


def described(release: Release, settings: Settings) -> DescribeAnswer:
    """Everything there is to say of a release."""
    publication = release.publication
    return DescribeAnswer(
        citations=[cite(release, settings)],
        data_until=release.data_until,
        truncated=False,
        row_limit=0,
        dataset_id=release.product,
        table=release.product,
        title_sv=words.plain(publication.title.sv),
        title_en=words.plain(publication.title.en),
        description_sv=words.plain(publication.description.sv),
        description_en=words.plain(publication.description.en),
        grain=words.plain(release.grain),
        rows=release.rows,
        period=list(release.period) if release.period else None,
        updated=release.issued,
        frequency=FREQUENCIES[publication.frequency].en,
        columns=_columns(release),
        quality=summary(release.verdict).en,
        checks=_checks(release),
        limitations_sv=words.plain(publication.limitations.sv),
        limitations_en=words.plain(publication.limitations.en),
        contact=words.plain(f"{publication.contact.name}, {publication.contact.email}"),
        examples=[
            Example(question_sv=one.question.sv, question_en=one.question.en, sql=one.sql)
            for one in publication.questions
        ],
    )


def _columns(release: Release) -> list[DescribedColumn]:
    return [
        DescribedColumn(
            name=column.name,
            type=column.type,
            label_sv=words.plain(column.label.sv),
            label_en=words.plain(column.label.en),
            unit=column.symbol,
            description=words.plain(column.description),
            is_key=column.is_key,
        )
        for column in release.columns
    ]


def _checks(release: Release) -> list[DescribedCheck]:
    return [
        DescribedCheck(
            meaning=meaning(check).en,
            column=check.column,
            passed=check.passed,
            observed=words.plain(check.observed, 500),
        )
        for check in release.verdict.checks
    ]


def _score(release: Release, asked: Sequence[str]) -> int:
    publication = release.publication
    titles = f"{release.product} {publication.title.sv} {publication.title.en}".casefold()
    tags = " ".join((*publication.keywords.sv, *publication.keywords.en)).casefold()
    rest = " ".join(
        [
            publication.description.sv,
            publication.description.en,
            release.publisher.name.sv,
            release.publisher.name.en,
            *(f"{column.name} {column.label.sv} {column.label.en}" for column in release.columns),
        ]
    ).casefold()
    return sum(4 * (word in titles) + 2 * (word in tags) + (word in rest) for word in asked)
