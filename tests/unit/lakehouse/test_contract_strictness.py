"""What YAML and ODCS would let through in silence is refused by name."""

import pytest
import yaml

from lakehouse.contracts import load_source
from lakehouse.errors import ContractError
from lakehouse.settings import PROJECT

SHIPPED = PROJECT / "contracts" / "sources" / "miljoforvaltningen" / "miljo_luft.yaml"


def refused(tmp_path, change: tuple[str, str]) -> str:
    text = SHIPPED.read_text("utf-8")
    assert change[0] in text
    path = tmp_path / SHIPPED.name
    path.write_text(text.replace(*change, 1), "utf-8")
    with pytest.raises(ContractError) as error:
        load_source(path)
    return str(error.value)


def test_a_key_that_stands_twice(tmp_path):
    message = refused(tmp_path, ("version: 1.0.0\n", "version: 1.0.0\nversion: 2.0.0\n"))
    assert "line 6" in message
    assert "the key 'version' stands twice" in message


def test_yaml_itself_takes_the_last_of_two_keys():
    assert yaml.safe_load("a: 1\na: 2") == {"a": 2}, "the trap must still be there"


def test_a_misspelt_custom_property(tmp_path):
    message = refused(tmp_path, ("- property: things\n", "- property: thing\n"))
    assert "customProperties.thing" in message
    assert "things" in message


def test_an_encoding_that_is_none(tmp_path):
    message = refused(tmp_path, ("encoding: iso-8859-1", "encoding: latin-99"))
    assert "customProperties.delivery.csv.encoding" in message
    assert "iso-8859-1" in message
