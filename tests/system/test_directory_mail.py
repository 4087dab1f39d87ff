"""A domain that joins an accredited list is sealed to, and no longer when it has left: by the
directory alone, without a call of the API. REQ-55 REQ-190"""
import tempfile

import pytest

import peers
from partners import Partner
from sealgate.mailserver import MailServer
from sealgate.platform import Platform
from sealgate.ports import PortBlock
from sealgate.process import wait_for
from sealgate.submit import submit
from setting import A, FROM_A, header, simple

PARTNER = "partner.test"


@pytest.fixture
def platform():
    with PortBlock() as block, tempfile.TemporaryDirectory(prefix="sgd", dir="/var/tmp") as folder:
        platform = Platform(folder, block.base, routes={PARTNER: block.base + 12},
                            settings={"tenantd": {"directory.interval": "1s"}})
        with platform:
            platform.organisation("Agency A", A, network=f"{FROM_A}/32",
                                  next_hop_port=platform.port["agency_a"]).provision()
            yield platform
        assert platform.sanitizer_reports() == []


def test_a_domain_that_joins_the_list_is_sealed_to(platform):
    partner = Partner(platform, PARTNER, member=None).put()
    with MailServer(platform.port["outside"], platform.layout.dir / "mail/partner") as server:
        def sent(subject):
            submit(platform.port["postfix_out"], f"joe@{A}", [f"ann@{PARTNER}"],
                   simple(f"joe@{A}", [f"ann@{PARTNER}"], subject, "Kia ora, Ann.\r\n"), FROM_A)
            mail, = server.wait(1, 60, lambda m: f"Subject: {subject}".encode() in m.head)
            return mail.raw

        def members():
            return [row["name"] for row in platform.api.list("/v1/member-domains")]

        before = sent("before")
        assert before.endswith(b"Kia ora, Ann.\r\n")
        platform.refca.list_add("SEEMAIL2", PARTNER)
        wait_for(lambda: PARTNER in members(), 30, "the list to be read")
        sealed = sent("joined")
        assert "application/pkcs7-mime" in header(sealed, "Content-Type")
        assert b"Kia ora" not in sealed
        path = partner.folder / "sealed.eml"
        path.write_bytes(sealed)
        opened = peers.run("openssl", "cms", "-decrypt", "-in", path, "-recip",
                           partner.identity.certificate, "-inkey", partner.identity.key)
        assert b"Kia ora, Ann." in opened
        platform.refca.run("list-remove", *platform.refca._ldap(), "SEEMAIL2", PARTNER)
        wait_for(lambda: PARTNER not in members(), 30, "the list to be read")
        assert sent("left").endswith(b"Kia ora, Ann.\r\n")
