"""The settable clock of the tests: it moves the daemons that are made for it, and no others."""
import subprocess

import apienv

DAY = 86400


def test_the_daemons_time_is_moved():
    with apienv.Platform(tenantd=False, hsm=False, clock=True) as platform:
        provider = platform.client()
        made = provider.post("/v1/tokens", {"name": "for a month", "role": "provider-admin",
                                            "expires_in_days": 30})
        month = platform.client(made["token"])
        platform.clock_set(29 * DAY)
        later = month.post("/v1/tenants", {"name": "later"})["created_at"]
        assert made["created_at"] < later < made["expires_at"]
        platform.clock_set(31 * DAY)
        assert month.call("GET", "/v1/tenants").status == 401


def test_a_month_without_a_partition_yet_is_our_trouble_not_the_clients():
    with apienv.Platform(tenantd=False, hsm=False, clock=True) as platform:
        platform.clock_set(200 * DAY)
        reply = platform.client().call("POST", "/v1/tenants", {"name": "too early"})
        assert reply.status == 503, reply.json


def test_the_program_that_ships_has_no_such_clock(tmp_path):
    clocked = apienv.BUILD / "clock/bin"
    if not clocked.is_dir():
        return  # this whole build has a settable clock
    conf = tmp_path / "apid.conf"
    conf.write_text("[clock]\nfile = /nowhere\n")
    shipped, settable = (
        subprocess.run([folder / "apid", "-c", conf, "-t"], capture_output=True, text=True,
                       check=False) for folder in (apienv.BUILD / "bin", clocked))
    assert (settable.returncode, settable.stderr) == (0, "")
    assert shipped.returncode == 2 and "no settable clock" in shipped.stderr
