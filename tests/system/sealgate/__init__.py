"""A complete private Sealgate on real servers, for tools/quickstart and the system tests.

    with PortBlock() as ports, Platform("/var/tmp/x", ports.base, tap=True) as platform:
        a = platform.organisation("Agency A", "agency-a.test", network="127.0.0.101/32",
                                  next_hop_port=platform.port["agency_a"]).provision()

Standard library and the servers' own tools alone.
"""
from .api import Api, Problem
from .layout import Layout, SetupError, ports_of
from .mailserver import CLOSE, HANG, Mail, MailServer
from .platform import Platform
from .ports import PortBlock
from .process import NotReady, Service, wait_for
from .provision import Organisation
from .wiretap import WireTap

__all__ = ["Api", "CLOSE", "HANG", "Layout", "Mail", "MailServer", "NotReady", "Organisation",
           "Platform", "PortBlock", "Problem", "Service", "SetupError", "WireTap", "ports_of",
           "wait_for"]
