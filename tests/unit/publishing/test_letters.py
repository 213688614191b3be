"""Information owners are told once, in words, by file and by whatever channel is set up."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

import pytest

from lakehouse.decisions import Outcome
from lakehouse.errors import SettingsError
from lakehouse.verdicts import Check
from publishing import letters
from publishing.letters.channels import deliver
from publishing.making.release import release
from tests.unit.publishing.lake import PRODUCT, keep_decision, keep_verdict

FAILED = Check(
    "expect_column_values_to_not_be_null", "station_name", "critical", False, "never empty", "3", 3
)
SECRET = Outcome("secrecy", "OSL", False, "Sekretess (smarta_las).", "Secret.")


@pytest.fixture
def product(contracts):
    return contracts.product(PRODUCT)


def audited(settings, contracts, *, fails=True, **changes):
    told = {"checks": (FAILED,), "reasons": ("station_name: never empty, found 3",)}
    verdict = keep_verdict(settings, contracts, 1, 48, **((told | changes) if fails else {}))
    return letters.of_audit(settings, contracts.product(PRODUCT), verdict)


def test_a_refused_audit_is_told_once_with_all_that_an_owner_asks(settings, contracts, gold):
    release(settings, contracts, PRODUCT)
    letter = audited(settings, contracts)
    assert letter.to == "luft@miljo.stockholm.example"
    assert letter.subject == "Luftkvalitet per timme underkändes i granskningen"
    for words in (
        "Värdet får inte saknas. Det gällde inte för kolumnen station_name, 3 rader.",
        "Sedan: 2026-11-02T06:00:00Z",
        "Utgåva 1 från 2026-11-02 ligger kvar, med data till och med 2026-03-01T23:00:00Z",
        "Vad du kan göra:",
    ):
        assert words in letter.body
    assert audited(settings, contracts) is None
    again = audited(settings, contracts, audited_at="2026-12-24T06:00:00Z")
    assert again is None


def test_another_fault_is_another_letter_that_knows_since_when(settings, contracts, gold):
    audited(settings, contracts)
    other = replace(FAILED, column="district")
    letter = audited(settings, contracts, checks=(FAILED, other), audited_at="2026-12-24T06:00:00Z")
    assert "kolumnen district" in letter.body
    assert "Sedan: 2026-11-02T06:00:00Z" in letter.body


def test_what_is_well_again_is_told_and_then_nothing_more(settings, contracts, gold):
    assert audited(settings, contracts, fails=False) is None
    audited(settings, contracts)
    well = audited(settings, contracts, fails=False)
    assert well.subject == "Luftkvalitet per timme godkänns i granskningen igen"
    assert "sedan 2026-11-02T06:00:00Z" in well.body
    assert audited(settings, contracts, fails=False) is None
    assert audited(settings, contracts) is not None


def test_an_audit_that_could_not_be_made_is_told_as_that(settings, contracts, gold):
    letter = audited(settings, contracts, checks=(), reasons=("the table is empty",))
    assert "Granskningen kunde inte slutföras: the table is empty" in letter.body
    assert "Ingen utgåva har släppts" in letter.body


def test_a_product_that_may_not_be_shared_is_told_with_rule_and_law(
    settings, contracts, product, gold
):
    refused = keep_decision(settings, contracts, gold, outcomes=(SECRET,))
    letter = letters.of_sharing(settings, product, refused)
    assert letter.subject == "Luftkvalitet per timme får inte delas"
    assert "Sekretess (smarta_las). (regeln secrecy; OSL)" in letter.body
    assert letters.of_sharing(settings, product, refused) is None
    allowed = keep_decision(settings, contracts, gold)
    assert "får delas igen" in letters.of_sharing(settings, product, allowed).subject


def test_a_letter_is_always_a_file(settings, product):
    letter = letters.of_withdrawal(product, "Räknefel sedan 3 maj.", "2026-11-26T12:00:00+00:00")
    assert deliver(settings, letter) is None
    (path,) = settings.letters.glob("*.txt")
    text = path.read_text("utf-8")
    assert text.startswith("Till: luft@miljo.stockholm.example\nÄrende: Återkallad: Luftkvalitet")
    assert "Skäl: Räknefel sedan 3 maj." in text


@contextmanager
def running(server: socketserver.BaseServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Relay(socketserver.StreamRequestHandler):
    """As much of SMTP as a relay needs to take one message."""

    taken: ClassVar[list[str]] = []

    def handle(self):
        self.say("220 relay")
        lines, is_data = [], False
        for raw in self.rfile:
            line = raw.decode().rstrip("\r\n")
            if is_data:
                is_data = line != "."
                lines.append(line)
                if not is_data:
                    self.taken.append("\n".join(lines))
                    self.say("250 taken")
            elif line.upper() == "DATA":
                is_data = True
                self.say("354 go on")
            elif line.upper() == "QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 ok")

    def say(self, text):
        self.wfile.write(f"{text}\r\n".encode())


class Hook(BaseHTTPRequestHandler):
    taken: ClassVar[list[dict]] = []
    answer = 204

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.taken.append(json.loads(body))
        self.send_response(self.answer)
        self.end_headers()

    def log_message(self, *_):
        """Tests print nothing."""


@pytest.fixture
def letter(product):
    return letters.of_withdrawal(product, "Räknefel på Hornsgatan.", "2026-11-26T12:00:00+00:00")


def test_a_letter_goes_by_mail(settings, letter):
    Relay.taken.clear()
    with running(socketserver.TCPServer(("127.0.0.1", 0), Relay)) as port:
        by_mail = replace(settings, letters_to=f"smtp://127.0.0.1:{port}")
        assert deliver(by_mail, letter) is None
    (message,) = Relay.taken
    assert "To: luft@miljo.stockholm.example" in message
    assert len(list(settings.letters.glob("*.txt"))) == 1


@pytest.mark.parametrize(("answer", "is_taken"), [(204, True), (500, False), (302, False)])
def test_a_letter_goes_to_a_webhook(settings, letter, answer, is_taken):
    Hook.taken.clear()
    Hook.answer = answer
    with running(HTTPServer(("127.0.0.1", 0), Hook)) as port:
        problem = deliver(replace(settings, letters_to=f"http://127.0.0.1:{port}/x?key=s3"), letter)
    assert Hook.taken == [
        {
            "product": PRODUCT,
            "to": letter.to,
            "subject": letter.subject,
            "text": letter.body,
        }
    ]
    assert (problem is None) is is_taken
    assert "s3" not in (problem or "")


def test_a_channel_that_is_down_is_told_and_the_file_is_there(settings, letter):
    with socketserver.TCPServer(("127.0.0.1", 0), Relay) as closed:
        port = closed.server_address[1]
    problem = deliver(replace(settings, letters_to=f"smtp://127.0.0.1:{port}"), letter)
    assert "was not sent to 127.0.0.1: ConnectionRefusedError" in problem
    assert len(list(settings.letters.glob("*.txt"))) == 1


@pytest.mark.parametrize("address", ["ftp://a", "owner@stad.example", "http://stad.example/hook"])
def test_a_channel_that_is_none_is_refused(settings, letter, address):
    with pytest.raises(SettingsError, match="SJOSTAD_LETTERS"):
        deliver(replace(settings, letters_to=address), letter)


def test_a_check_that_failed_is_told_once_and_what_could_not_be_made_beside_it(
    settings, contracts, gold
):
    """Each in its own words: reasons are English, and the owner reads Swedish."""
    reasons = (FAILED.said, "the check 'x' could not be made: ValueError")
    body = audited(settings, contracts, checks=(FAILED,), reasons=reasons).body
    assert body.count("\n  - ") == 2
    assert FAILED.said not in body
    assert "Granskningen kunde inte slutföras: the check 'x' could not be made" in body


def test_an_audit_of_nothing_is_told_as_that(settings, contracts, gold):
    assert "  - Ingenting granskades." in audited(settings, contracts, checks=(), reasons=()).body
