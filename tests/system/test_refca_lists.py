"""Lists as the reference CA writes them, read by tenantd: REQ-55, 190."""
import pytest

from certlab import REFCA, run
from slapd import Slapd
from test_directory import World, names


@pytest.fixture(scope="module")
def directory():
    with Slapd() as slapd:
        yield slapd


def test_a_list_of_refca(directory):
    """Members and version arrive as they were set, change by change."""
    def refca(command, *arguments):
        run(REFCA, "--dir", directory.folder, command, "--ldap-url", directory.url, "--bind-dn",
            "cn=admin,c=NZ", "--password-file", directory.directory.password_file, *arguments)

    many = directory.folder / "many"
    many.write_text("".join(f"{name}\n" for name in names(10_000)))
    refca("list-set", "SEEMAIL2", "--file", many)
    refca("list-add", "WORKSPACE", "office.test")
    refca("list-add", "WORKSPACE", "desk.test", "--version", "41")
    with World() as world:
        world.use(directory)
        assert world.list()["version"] == "1" and world.list()["members"] == 10_000
        assert world.list("WORKSPACE")["version"] == "41"
        assert world.members("WORKSPACE") == ["desk.test", "office.test"]
        refca("list-remove", "SEEMAIL2", "m00017.test")
        world.sync()
        assert world.list()["version"] == "2" and world.list()["members"] == 9_999
        assert "m00017.test" not in world.members() and "m00018.test" in world.members()
