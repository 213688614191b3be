"""Reading an ODCS v3.1.0 document: YAML, JSON schema, and the project's own custom properties.

The standard's schema comes with the package `open-data-contract-standard`. What the standard
lacks stands in `customProperties` and is read into pydantic models that forbid unknown keys.

Source: Open Data Contract Standard v3.1.0, section "Custom properties".
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from jsonschema_rs import Draft201909Validator, ValidationError
from pydantic import BaseModel, ConfigDict
from pydantic import ValidationError as ModelError
from pydantic.alias_generators import to_camel

from lakehouse.errors import ContractError, Problem

IDENTIFIER = r"^[a-z0-9][a-z0-9_]{0,62}$"
"""Ids become folder names, table names and addresses, so they are plain."""


class Frozen(BaseModel):
    """Base of everything read from a contract: immutable, camelCase in YAML, no unknown key."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True
    )


Model = TypeVar("Model", bound=Frozen)


@dataclass(frozen=True, slots=True)
class Document:
    """A contract file that is valid ODCS.

    Attributes:
        path: The file.
        data: The parsed document.
        digest: sha-256 of the document's content, independent of YAML layout.
    """

    path: Path
    data: Mapping[str, Any]
    digest: str

    def section(self, name: str, model: type[Model]) -> Model:
        """Read the custom property `name` of the document into `model`.

        Raises:
            ContractError: The property is missing or does not fit the model.
        """
        properties = custom_properties(self.data)
        if name not in properties:
            raise ContractError(
                Problem(
                    f"{self.path}: customProperties",
                    f"the property '{name}' is missing",
                    f"Add '- property: {name}' with a value; docs/contracts.md shows one.",
                )
            )
        return self.read(model, properties[name], f"customProperties.{name}")

    def optional(self, name: str, model: type[Model]) -> Model | None:
        """The same; None if the document has no such property."""
        return self.section(name, model) if name in custom_properties(self.data) else None

    def whole(self, model: type[Model]) -> Model:
        """Read the whole document into `model`."""
        return self.read(model, self.data, "")

    def unknown_properties(self, known: Iterable[str]) -> Iterator[Problem]:
        """Custom properties of the document that nothing reads, such as a misspelt one."""
        names = sorted(known)
        for name in custom_properties(self.data):
            if name not in names:
                yield Problem(
                    f"{self.path}: customProperties.{name}",
                    "this property is unknown",
                    f"Known ones: {', '.join(names)}.",
                )

    def read(self, model: type[Model], value: object, key: str) -> Model:
        """Read a value of this document into a model, with errors that name the key."""
        try:
            return model.model_validate(value)
        except ModelError as error:
            raise ContractError(*_model_problems(error, self.path, key, model)) from None


def read_document(path: Path) -> Document:
    """Read and check one contract file.

    Raises:
        ContractError: The file is not YAML or not valid ODCS v3.1.0.
    """
    plain = read_yaml(path)
    problems = list(_schema_problems(plain, path))
    if problems:
        raise ContractError.of(problems)
    content = json.dumps(plain, sort_keys=True, ensure_ascii=False).encode()
    return Document(path, plain, hashlib.sha256(content).hexdigest())


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file that holds one mapping, as what JSON knows: dates are text.

    Raises:
        ContractError: The file is not YAML, a key stands twice, or it holds something else.
    """
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), Loader=_StrictLoader)  # noqa: S506 - it is a SafeLoader
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        where = getattr(error, "problem_mark", None)
        line = f", line {where.line + 1}" if where else ""
        raise ContractError(
            Problem(f"{path}{line}", f"this is not YAML: {_first_line(error)}", "Mend the syntax.")
        ) from None
    if not isinstance(data, dict):
        raise ContractError(
            Problem(str(path), "the file holds no mapping", "Start it with 'apiVersion: v3.1.0'.")
        )
    plain: dict[str, Any] = json.loads(json.dumps(data, default=str))
    return plain


class _StrictLoader(yaml.CSafeLoader):
    """Refuses a key that stands twice; YAML would silently take the last one."""


def _mapping(loader: _StrictLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[object] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node)
        if key in seen:
            raise yaml.constructor.ConstructorError(
                None, None, f"the key '{key}' stands twice", key_node.start_mark
            )
        seen.add(key)
    return loader.construct_mapping(node, deep=True)


_StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def custom_properties(element: Mapping[str, Any]) -> dict[str, Any]:
    """The custom properties of a document or schema element, by name."""
    return {item["property"]: item["value"] for item in element.get("customProperties", ())}


@cache
def _validator() -> Draft201909Validator:
    text = files("open_data_contract_standard").joinpath("schema.json").read_text(encoding="utf-8")
    return Draft201909Validator(json.loads(text))


def _schema_problems(data: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    found = {}
    for error in _validator().iter_errors(data):
        deepest = _deepest(error)
        found[tuple(map(str, deepest.instance_path)), deepest.message] = deepest
    for _, error in sorted(found.items()):
        yield Problem(
            f"{path}: {dotted(error.instance_path) or '(top level)'}",
            error.message,
            "Write it as Open Data Contract Standard v3.1.0 asks.",
        )


def _deepest(error: ValidationError) -> ValidationError:
    """What is wrong inside the alternative that comes nearest, if alternatives are asked for."""
    inside = [found for branch in getattr(error.kind, "context", ()) for found in branch]
    if not inside:
        return error
    return _deepest(max(inside, key=lambda found: len(found.instance_path)))


def _model_problems(
    error: ModelError, path: Path, key: str, model: type[Frozen]
) -> Iterator[Problem]:
    for item in error.errors():
        place = f"{path}: {dotted((key, *item['loc']))}"
        match item["type"]:
            case "missing":
                yield Problem(place, "this key is missing", "Add it; docs/contracts.md says how.")
            case "extra_forbidden":
                allowed = ", ".join(sorted(_known_keys(model, item["loc"][:-1])))
                yield Problem(place, "this key is unknown", f"Known keys beside it: {allowed}.")
            case "secret":  # the value must not be shown
                yield Problem(place, item["msg"], "Write env:NAME and set the variable NAME.")
            case _:
                message = item["msg"].removeprefix("Value error, ")
                yield Problem(place, f"{message}, not {item['input']!r}", "Correct the value.")


def _known_keys(model: type[Frozen], parents: Iterable[int | str]) -> list[str]:
    """The keys that may stand at a place in a model; `parents` lead there."""
    for parent in parents:
        if isinstance(parent, str):
            kinds = {field.alias: field.annotation for field in model.model_fields.values()}
            model = next(_models_in(kinds.get(parent)), model)
    return [field.alias or name for name, field in model.model_fields.items()]


def _models_in(annotation: object) -> Iterator[type[Frozen]]:
    """The models an annotation speaks of: `X`, `X | None`, `tuple[X, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, Frozen):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


def dotted(parts: Iterable[object]) -> str:
    """A key path as people write it: `schema[0].properties[2].name`."""
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _first_line(error: Exception) -> str:
    return str(getattr(error, "problem", None) or error).splitlines()[0]
