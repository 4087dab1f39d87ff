"""Which statements a daemon sends to PostgreSQL, in their order: from the server's own log."""
import collections
import re

from sealgate.process import wait_for

LINE = re.compile(r"^@(?P<application>[^@]*)@(?P<pid>\d+) LOG:  (?:execute (?P<name>\w+): |statement: )(?P<sql>.*)$")
PARAMETERS = re.compile(r"^@[^@]*@(?P<pid>\d+) DETAIL:  parameters: (?P<values>.*)$")

NOTHING = "(nothing)"  # the empty command, with which a listener asks whether something is new


class Statements:
    """
    with Statements(platform.postgresql) as statements:
        statements.begin(); …; statements.of("gatewayd")   # [name or text]
    """

    def __init__(self, postgresql):
        self.postgresql, self.offset = postgresql, 0

    def set(self, sql, shown):
        self.postgresql.psql(f"{sql}; SELECT pg_reload_conf()")
        wait_for(lambda: self.postgresql.rows("SHOW log_statement") == [[shown]], 10, "the log's setting")

    def __enter__(self):
        self.postgresql.psql("ALTER SYSTEM SET log_line_prefix = '@%a@%p '")
        self.set("ALTER SYSTEM SET log_statement = 'all'", "all")
        return self

    def __exit__(self, *_):
        self.postgresql.psql("ALTER SYSTEM RESET log_line_prefix")
        self.set("ALTER SYSTEM RESET log_statement", "none")

    def begin(self):
        self.offset = self.postgresql.log.stat().st_size

    def _found(self, application):
        with open(self.postgresql.log, encoding="utf-8", errors="replace") as log:
            log.seek(self.offset)
            found = [LINE.match(line) for line in log]
        return [(m["pid"], m["name"] or (m["sql"].split() or [NOTHING])[0]) for m in found
                if m and m["application"] == application]

    def of(self, application):
        return [name for _, name in self._found(application)]

    def within(self, application):
        """The names of what was asked within a transaction."""
        inside, names = set(), set()
        for pid, name in self._found(application):
            if name == "BEGIN":
                inside.add(pid)
            elif name in ("COMMIT", "ROLLBACK"):
                inside.discard(pid)
            elif pid in inside:
                names.add(name)
        return names

    def counted(self, application):
        return collections.Counter(self.of(application))

    def about(self, application, name, text):
        """How often a statement was sent with a parameter that has this in it: others' are not counted."""
        asking, count = set(), 0
        with open(self.postgresql.log, encoding="utf-8", errors="replace") as log:
            log.seek(self.offset)
            for line in log:
                if m := LINE.match(line):
                    asking.discard(m["pid"])
                    if (m["application"], m["name"]) == (application, name):
                        asking.add(m["pid"])
                elif (m := PARAMETERS.match(line)) and m["pid"] in asking:
                    count += text in m["values"]
                    asking.discard(m["pid"])
        return count
