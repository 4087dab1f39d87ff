"""List servers: mail of theirs passes, with a soft warning where nothing proves a From that needs proof; the
WORKSPACE list; secure mail among members by a list of a member's.

REQ-13 REQ-55 REQ-108 REQ-196 REQ-197 REQ-198 REQ-199
"""
import tempfile

import pytest

from members import text_of
from policylab import MEMBER, Lab, mail
from sealgate.ports import PortBlock
from sealgate.process import wait_for
from setting import A, B, C, OUTSIDE, header

# REQ-199's own list, one a row; "mailing list:" as a field's name can be written
LIST_FIELDS = ["Errors-To: x@l.test", "List-Archive: <http://l.test/>", "List-Help: <mailto:h@l.test>",
               "List-Id: <l.l.test>", "List-Name: l", "List-Post: <mailto:l@l.test>",
               "List-Subscribe: <mailto:s@l.test>", "List-Unsubscribe: <mailto:u@l.test>", "Mailing-List: l",
               "Precedence: bulk", "X-BeenThere: l@l.test", "X-Mailman: 2.1", "PRECEDENCE:  Bulk ", "list-ID: <x>"]
BODY = "Kia ora, list.\r\n-- \r\nJoe\r\n"


@pytest.fixture(scope="module")
def lab():
    with PortBlock() as block, tempfile.TemporaryDirectory(prefix="sgl", dir="/var/tmp") as folder:
        s = Lab(folder, block, settings={"tenantd": {"directory.interval": "1s"}})
        try:
            yield s.start()
        finally:
            s.stop()


def by_list(lab, author, name, field="List-Id: <l.outside.test>", to=B, body=BODY, fields=""):
    """As a list server outside brings it: another envelope, the author's From."""
    lab.from_outside(f"l-bounces@{OUTSIDE}", [f"ann@{to}"],
                     mail(author, [f"l@{OUTSIDE}"], name, body, fields=f"{fields}{field}\r\n"))
    return lab.arrived(to, name)[0]


def soft(lab, got, code, body=BODY):
    assert header(got.raw, "X-Sealgate-Verdict") == f"unverified; code={code}"
    text, note = lab.parts(got.raw)
    assert text == b"\r\n" + body.encode()
    assert "UNVERIFIED MESSAGE" in text_of(note) and f"[Code: {code}]" in text_of(note)


@pytest.mark.parametrize("field", LIST_FIELDS)
def test_a_list_servers_field_makes_it_soft(lab, field):
    """REQ-199: 002; a header, and the note behind the text."""
    soft(lab, by_list(lab, f"joe@{A}", f"soft-{field.encode().hex()[:24]}", field), "002")


def test_soft_for_the_own_domain_too(lab):
    """REQ-199: 005; whatever the domain does with unverified mail, for lists must work (REQ-13, 196)."""
    soft(lab, by_list(lab, f"bea@{B}", "soft-own"), "005")
    with lab.policy(lab.b, {"unverified_action": "delete", "unverified_form": "prefixed"}):
        soft(lab, by_list(lab, f"bea@{B}", "soft-own-delete"), "005")
        soft(lab, by_list(lab, f"joe@{A}", "soft-member-delete"), "002")


@pytest.mark.parametrize("field", ["Precedence: list", "X-List: l", "Subject2: List-Id: <l>", "Precedence: bulky"])
def test_what_is_no_list_servers_field(lab, field):
    got = by_list(lab, f"joe@{A}", f"hard-{field.encode().hex()[:24]}", field)
    assert header(got.raw, "X-Sealgate-Verdict") == "unverified; code=002"
    assert b"UNVERIFIED MESSAGE" in lab.parts(got.raw)[0]


def test_a_signature_inside_stays_whole(lab):
    """REQ-12, 199: an individual's signature over the text verifies behind the note."""
    signed = lab.software[MEMBER].sign(lab.entity("Signed by a person.\r\n"), "sha256")
    signed = signed.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    # The list server's copy: From names A, and the signer is nobody of A's.
    head, _, body = signed.partition(b"\r\n\r\n")
    message = mail(f"joe@{A}", [f"l@{OUTSIDE}"], "soft-signed", "", fields="List-Id: <l>\r\n").rstrip(b"\r\n")
    lab.from_outside(f"l@{OUTSIDE}", [f"ann@{B}"], message + b"\r\n" + head + b"\r\n\r\n" + body)
    got = lab.arrived(B, "soft-signed")[0]
    # It is a domain's signature of another domain than From: that is no list server's fault, and hard.
    assert header(got.raw, "X-Sealgate-Verdict") == "unverified; code=002"
    assert b"UNVERIFIED MESSAGE" in lab.parts(got.raw)[0]


def test_every_kind_of_entity_is_whole(lab):
    entity = ('--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nĀ\r\n--b\r\n'
              'Content-Type: text/html\r\n\r\n<p>x</p>\r\n--b--\r\n')
    got = by_list(lab, f"joe@{A}", "soft-parts", body=entity,
                  fields='MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary="b"\r\n')
    assert lab.parts(got.raw)[0].endswith(b"\r\n\r\n" + entity.encode())


@pytest.mark.parametrize("case", ["trigger", "encrypted", "claims"])
def test_what_a_list_does_not_soften(lab, case):
    """REQ-199 speaks of 002 and 005 that come of a missing signature, and of nothing else."""
    if case == "trigger":
        got = by_list(lab, f"x@{OUTSIDE}", "list-trigger", body="[SENSITIVE]\r\n")
        assert header(got.raw, "X-Sealgate-Verdict") == "unverified; code=004"
        assert b"UNVERIFIED MESSAGE" in lab.parts(got.raw)[0]
    elif case == "encrypted":
        lab.sealed_from(MEMBER, [f"ann@{B}"], "list-encrypted", fields="List-Id: <l>\r\n", sign=False)
        got = lab.arrived(B, "list-encrypted")[0]
        assert b"UNVERIFIED MESSAGE" in lab.parts(got.raw)[0] and b"Kia ora" not in got.raw
    else:
        got = by_list(lab, f"x@{OUTSIDE}", "list-claims", fields="X-NZ-Secure-email: 1.0\r\n")
        assert b"UNVERIFIED MESSAGE" in lab.parts(got.raw)[0]


def test_lists_of_others_are_none_of_our_business(lab):
    """REQ-13, 196, 198: mail of an outsider by a list passes byte for byte, out and in."""
    message = mail(f"x@{OUTSIDE}", [f"l@{OUTSIDE}"], "list-plain", BODY, fields="List-Id: <l>\r\nPrecedence: bulk\r\n")
    lab.from_outside(f"l@{OUTSIDE}", [f"ann@{B}"], message)
    assert lab.arrived(B, "list-plain")[0].raw.endswith(message)
    message = mail(f"joe@{A}", [f"l@{OUTSIDE}"], "list-posting", BODY)
    lab.submit(f"joe@{A}", [f"l@{OUTSIDE}"], message)
    assert lab.arrived(OUTSIDE, "list-posting")[0].raw.endswith(message)


def test_secure_mail_among_members_by_a_members_list(lab):
    """REQ-197: A writes to a list at B, sealed; B's list server writes to its members, from B, sealed."""
    lab.submit(f"joe@{A}", [f"l@{B}"], mail(f"joe@{A}", [f"l@{B}"], "secure-list", "For the list.\r\n"))
    came = lab.arrived(B, "secure-list")[0]
    assert header(came.raw, "X-Sealgate-Verdict") == f"verified; domain={A}"
    copy = mail(f"l@{B}", [f"l@{B}"], "secure-list-copy", "For the list.\r\n",
                fields=f"List-Id: <l.{B}>\r\nPrecedence: bulk\r\nReply-To: joe@{A}\r\n")
    lab.submit(f"l-bounces@{B}", [f"joe@{A}", f"cat@{C}"], copy, source=lab.from_b)
    for domain in (A, C):
        got = lab.arrived(domain, "secure-list-copy")[0]
        assert header(got.raw, "X-Sealgate-Verdict") == f"verified; domain={B}"
        assert got.raw.endswith(b"\r\n\r\nFor the list.\r\n")


def test_workspace(lab):
    """REQ-108: a domain on the list bears no 002 or 005; nothing else is let through by it."""
    message = mail(f"w@{MEMBER}", [f"ann@{B}"], "in-workspace", BODY)
    lab.from_outside(f"w@{MEMBER}", [f"ann@{B}"], mail(f"w@{MEMBER}", [f"ann@{B}"], "no-workspace-yet", BODY))
    assert header(lab.arrived(B, "no-workspace-yet")[0].raw, "X-Sealgate-Verdict") == "unverified; code=002"
    lab.workspace(MEMBER)
    lab.from_outside(f"w@{MEMBER}", [f"ann@{B}"], message)
    assert lab.arrived(B, "in-workspace")[0].raw.endswith(message)
    assert lab.decided("in-workspace", lab.b)["rule"] == "workspace"
    # Its word does not hold for another member, who stands in From beside it.
    both = mail(f"w@{MEMBER}>, <joe@{A}", [f"ann@{B}"], "workspace-two", BODY)
    lab.from_outside(f"w@{MEMBER}", [f"ann@{B}"], both)
    assert header(lab.arrived(B, "workspace-two")[0].raw, "X-Sealgate-Verdict") == "unverified; code=002"
    # Altered is altered.
    entity = lab.sealed(MEMBER, B, "Marker-4711\r\n", encrypt=False).replace(b"Marker-4711", b"Marker-4712")
    lab.from_outside(f"pat@{MEMBER}", [f"ann@{B}"], lab.outer(f"pat@{MEMBER}", [f"ann@{B}"], "workspace-altered") + entity)
    assert header(lab.arrived(B, "workspace-altered")[0].raw, "X-Sealgate-Verdict") == "unverified; code=003"


def test_lists_may_wait_for_approval(lab):
    """REQ-55: by the platform's policy nobody joins a list before somebody has looked."""
    api = lab.platform.api

    def listed():
        return api.list("/v1/member-domains", environment="workspace", name="later.test")
    api.put("/v1/policy", {"classification_approval": True})
    try:
        lab.platform.refca.list_add("WORKSPACE", "later.test")
        change, = wait_for(lambda: api.list("/v1/list-changes", state="pending"), 30, "the change to wait")
        assert change["reason"] == "approval" and not listed()
        api.post(f"/v1/list-changes/{change['id']}/approve")
        wait_for(listed, 10, "the approved domain")
    finally:
        api.put("/v1/policy", {})
