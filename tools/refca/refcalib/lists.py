"""Lists of members in the directory (REQ-190): SEEMAIL2, SECUREMAIL1, WORKSPACE and the test lists.

A list is a nisMailAlias with *@domain members. Its version is a number in its description (so the entry
is an extensibleObject as well): one more with each change, in the same operation as the change.
"""
import re

import ldap3
from ldap3.utils.dn import escape_rdn

from . import RefcaError, rules

NAME = re.compile(r"(?:(?:SEEMAIL|SECUREMAIL)[1-9][0-9]?(?:TEST)?|WORKSPACE)\Z")
MEMBER = "rfc822MailMember"
VERSION = "description"
CLASSES = ["nisMailAlias", "extensibleObject"]
TRIES = 20               # against others who change the list meanwhile


def check_name(name: str) -> str:
    if not NAME.match(name):
        raise RefcaError(f"no list is called {name!r}: SEEMAIL2, SECUREMAIL1, WORKSPACE,"
                         " SEEMAIL2TEST, SECUREMAIL1TEST and later versions of them")
    return name


def _dn(directory, name: str) -> str:
    return f"cn={escape_rdn(check_name(name))},{directory.base}"


def read(directory, name: str):
    """(version, members as domains, object classes, raw version values); None where there is no list."""
    values = directory.read(_dn(directory, name), [MEMBER, VERSION, "objectClass"])
    if values is None:
        return None
    raw = values.get(VERSION, [])
    numbers = [int(text) for text in raw if re.fullmatch(r"[0-9]{1,18}", text)]
    members = {text[2:].lower() for text in values.get(MEMBER, []) if text.startswith("*@")}
    return max(numbers, default=0), members, values.get("objectClass", []), raw


def change(directory, name: str, new_members, version=None) -> tuple:
    """new_members: from the set that is there to the one that shall be. version: instead of one more.
    Returns (version, added, removed)."""
    for _ in range(TRIES):
        done = _try(directory, name, new_members, version)
        if done:
            return done
    raise RefcaError(f"{name} is changed by somebody else all the time")


def _try(directory, name, new_members, version):
    """None where somebody else was quicker."""
    dn = _dn(directory, name)
    there = read(directory, name)
    if there is None:
        wanted = new_members(set())
        number = version or 1
        attributes = {"cn": name, VERSION: str(number)}
        if wanted:
            attributes[MEMBER] = [f"*@{domain}" for domain in sorted(wanted)]
        if directory.add(dn, CLASSES, attributes):
            return number, len(wanted), 0
        return None
    number, members, classes, raw = there
    wanted = new_members(set(members))
    if wanted == members and (version is None or [str(version)] == raw):
        return number, 0, 0
    next_number = version if version is not None else number + 1
    changes = {VERSION: ([(ldap3.MODIFY_DELETE, raw)] if raw else [])
               + [(ldap3.MODIFY_ADD, [str(next_number)])]}
    if not any(text.lower() == "extensibleobject" for text in classes):
        changes["objectClass"] = [(ldap3.MODIFY_ADD, ["extensibleObject"])]
    removed, added = sorted(members - wanted), sorted(wanted - members)
    member_changes = [(what, [f"*@{domain}" for domain in domains]) for what, domains in
                      ((ldap3.MODIFY_DELETE, removed), (ldap3.MODIFY_ADD, added)) if domains]
    if member_changes:
        changes[MEMBER] = member_changes
    return (next_number, len(added), len(removed)) if directory.modify(dn, changes) else None


def show(directory, name: str) -> dict:
    there = read(directory, name)
    if there is None:
        raise RefcaError(f"there is no list {name} in the directory")
    return {"list": name, "version": there[0], "members": sorted(there[1])}


def domains_of_file(text: str) -> list:
    """A domain a line; blank lines and what follows # are for people."""
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return [rules.check_domain(line.removeprefix("*@")) for line in lines if line]
