"""The steps of tools/check: each counts what passed and failed; all run, whatever one of them says."""
import argparse
import concurrent.futures
import math
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parents[1]
CPUS = len(os.sched_getaffinity(0))
WORKERS = 2 * CPUS  # a test waits more than it computes
SANITIZERS = {"ASAN_OPTIONS": "detect_stack_use_after_return=1",
              "UBSAN_OPTIONS": "print_stacktrace=1"}


class Failed(Exception):
    """A step that could not do its work; its text is shown."""


class Step:
    """What one step found: numbers, and lines that say what failed."""

    def __init__(self, name, log):
        self.name, self.log = name, log
        self.passed = self.failed = 0
        self.seconds = 0.0
        self.notes = []
        log.unlink(missing_ok=True)

    def do(self, work, args):
        """A part of it, whose failure is the step's."""
        before = time.monotonic()
        try:
            work(self, args)
        except Failed as error:
            self.one(False, str(error))
        except Exception as error:  # a fault of this program is a failure too
            self.one(False, f"{type(error).__name__}: {error}")
        self.seconds += time.monotonic() - before

    def run(self, *command, env=None, timeout=1200, good=(0,)):
        """Output goes to the step's log, and comes back; Failed where the status is not good."""
        command = [str(c) for c in command]
        with open(self.log, "a", encoding="utf-8") as log:
            log.write(f"$ {' '.join(command)}\n")
        try:
            result = subprocess.run(command, cwd=ROOT, env={**os.environ, **(env or {})},
                                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                    stderr=subprocess.STDOUT, timeout=timeout, check=False)
        except subprocess.TimeoutExpired as error:
            text = (error.stdout or b"").decode("utf-8", "replace")
            self._note(text)
            raise Failed(f"{command[0]}: not done after {timeout} s\n{tail(text)}") from None
        text = result.stdout.decode("utf-8", "replace")
        self._note(text)
        if result.returncode not in good:
            raise Failed(f"{command[0]}: exit status {result.returncode}\n{tail(text)}")
        return result.returncode, text

    def _note(self, text):
        with open(self.log, "a", encoding="utf-8") as log:
            log.write(text)

    def one(self, good, text=""):
        if good:
            self.passed += 1
        else:
            self.failed += 1
            self.notes.append(text)


def tail(text, lines=25):
    """The end, and what compilers said before it."""
    errors = [line for line in text.splitlines() if re.search(r"(fatal )?error: |FAILED: ", line)]
    if errors and lines > 10:
        return "\n".join(errors[:lines])
    return "\n".join(text.rstrip().splitlines()[-lines:])


def tracked(*patterns):
    out = subprocess.run(["git", "ls-files", "-z", "--", *patterns], cwd=ROOT, check=False,
                         capture_output=True).stdout
    names = [name for name in os.fsdecode(out).split("\0") if name and (ROOT / name).is_file()]
    if not names:  # an unpacked tree without git
        skipped = {"build", "node_modules", ".git"}
        names = [str(path.relative_to(ROOT)) for pattern in patterns
                 for path in ROOT.rglob(pattern) if not skipped & set(path.parts)]
    return sorted(names)


def step_format(step, _args):
    """clang-format changes nothing."""
    names = tracked("*.c", "*.h")
    _, text = step.run("clang-format", "--dry-run", "--Werror", *names, good=(0, 1))
    wrong = {line.split(":")[0] for line in text.splitlines() if ": error: " in line}
    for name in names:
        step.one(name not in wrong, f"{name}: not formatted")


def build(step, preset, *targets):
    step.run("cmake", "--preset", preset)
    step.run("cmake", "--build", "--preset", preset, "-j", CPUS,
             *(["--target", *targets] if targets else []))
    step.one(True)


def unit_tests(step, preset, *which):
    report = pathlib.Path(step.log).with_suffix(f".{preset}.xml")
    report.unlink(missing_ok=True)
    step.run("ctest", "--test-dir", f"build/{preset}", "--output-on-failure", "-j", WORKERS,
             "--output-junit", report, *which, env=SANITIZERS, good=(0, 8))
    count_junit(step, report)


def bad_of(case):
    return [child for child in case if child.tag in ("failure", "error")]


def cases_of(report):
    if not report.exists():
        raise Failed(f"no report {report}")
    return list(xml.etree.ElementTree.parse(report).getroot().iter("testcase"))


def name_of(case):
    return f"{(case.get('classname') or '').replace('.', '/')}.py::{case.get('name')}"


def count_junit(step, report, good_alone=()):
    cases = cases_of(report)
    if not cases:
        raise Failed("no test ran")
    for case in cases:
        bad = bad_of(case)
        if bad and name_of(case) in good_alone:
            step.notes.append(f"{name_of(case)}: failed beside others, passed alone: "
                              f"{(bad[0].get('message') or '').splitlines()[:1]}")
            bad = []
        if case.find("skipped") is None or bad:
            where = case.get("classname") or ""
            step.one(not bad, f"{where}::{case.get('name')}: "
                     f"{(bad[0].get('message') or '').splitlines()[:1] if bad else ''}")


def step_release(step, args):
    """Release build without a warning. Without --long, of its unit tests those that show less under the sanitizers, where
    all run: bounds of memory, and seccomp."""
    build(step, "release")
    unit_tests(step, "release", *([] if args.long else ["-R", "memory|confine|journal_faults"]))


def step_asan(step, _args):
    """AddressSanitizer and UBSan: build, unit tests. The fuzzers are of the same objects."""
    build(step, "asan")
    unit_tests(step, "asan")


# Of tests/system: what most threads go through, under load, with orderly stops and with an HSM that fails.
RACED = ("races", "mail", "curves", "capabilities", "layers", "courier", "stop_load", "hsm", "hsm_faults", "hsm_mail")


def races(step):
    """System tests with the daemons under ThreadSanitizer; what it has to say fails the step, but for threads that are there at the
    end: a stop does not wait for those whose peer hangs. The daemons, which are of several users, write it into a folder that all of them
    may write to."""
    with tempfile.TemporaryDirectory(prefix="sg-tsan") as folder:
        os.chmod(folder, 0o1777)
        suppressions = shutil.copy(ROOT / "tests/tsan.supp", folder)
        os.chmod(suppressions, 0o644)
        pytest(step, "build/tsan", *(f"tests/system/test_{name}.py" for name in RACED),
               env={"TSAN_OPTIONS": f"log_path={folder}/report history_size=4 report_thread_leaks=0 suppressions={suppressions}"})
        for report in sorted(pathlib.Path(folder).glob("report*")):
            text = report.read_text(encoding="utf-8", errors="replace")
            step._note(text)
            step.one(False, "\n".join(re.findall(r"^SUMMARY: .*", text, re.M)) or report.name)


def step_tsan(step, args):
    """ThreadSanitizer: build, unit tests, system tests of the way of a mail (with --long)."""
    if not args.long:
        return
    build(step, "tsan")
    unit_tests(step, "tsan")
    races(step)


ALONE_MAX = 4
COMPILED = ROOT / "build/check/pycache"  # of the tests: else each worker compiles all of them, for five seconds


def pytest(step, build_dir, *arguments, timeout=2400, env=None):
    """Several modules at a time. A few tests that failed are run once more alone, for some look at times,
    which a machine with much else to do does not keep; they are named all the same."""
    report = pathlib.Path(step.log).with_suffix(".pytest.xml")
    again = pathlib.Path(step.log).with_suffix(".alone.xml")

    def run(into, *more):
        into.unlink(missing_ok=True)
        step.run("/usr/bin/python3", "-m", "pytest", "-q", "-p", "no:cacheprovider",
                 f"--junitxml={into}", *more, timeout=timeout, good=(0, 1),
                 env={**SANITIZERS, "SG_BUILD": build_dir, "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "",
                      "PYTHONPYCACHEPREFIX": str(COMPILED), **(env or {})})

    good_alone = ()
    try:
        run(report, "-n", WORKERS, "--dist", "loadfile", *arguments)
        failed = [name_of(case) for case in cases_of(report) if bad_of(case)]
        if 0 < len(failed) <= ALONE_MAX:
            run(again, *failed, *(a for a in arguments if a == "--long"))
            good_alone = {name_of(case) for case in cases_of(again) if not bad_of(case)}
    finally:
        if report.exists():
            count_junit(step, report, good_alone)


OPERATIONS = ROOT / "build/operations"


def step_system(step, args):
    """Real servers, release build."""
    OPERATIONS.unlink(missing_ok=True)
    pytest(step, "build/release", "tests/system", *(["--long"] if args.long else []),
           timeout=7200 if args.long else 1500)


def step_operations(step, _args):
    """Every operation of api/openapi.yaml succeeded in a test of the step before, and what changes
    something left a row in the audit log."""
    described = re.findall(r"^  (/\S*):$|^    (get|put|post|patch|delete):$",
                           (ROOT / "api/openapi.yaml").read_text(encoding="utf-8"), re.M)
    seen = set(OPERATIONS.read_text(encoding="ascii").split("\n")) if OPERATIONS.exists() else set()
    path = None
    for found, method in described:
        path = found or path
        if method:
            name = f"{method.upper()} {path}"
            step.one(name in seen, f"{name}: no test has succeeded with it")
            if method != "get":
                step.one(f"audited {name}" in seen, f"{name}: leaves nothing in the audit log")


def step_smoke(step, args):
    """The way of a mail and requests out of openapi.yaml, with the daemons under AddressSanitizer and
    UBSan."""
    pytest(step, "build/asan", "tests/system", "-m", "smoke")
    if args.long:
        pytest(step, "build/asan", "tests/system/test_api_fuzz.py", "--long")


# Seconds of a fuzzer: 15 for what strangers send and what the way of a mail reads, less for what an operator or our own
# processes write.
OF_OURS = ("config", "networks", "report", "notice_report", "simulate", "subject_tags", "tnef_answer", "courier_answer",
           "courier_job", "courier_kept")


class Fuzzing:
    """Every fuzzer, from its committed seeds, with its dictionary, until it has had its seconds of CPU time: a wall
    clock would say little of what was tried on a machine with other work. It goes beside steps that wait for
    servers more than they compute, and takes what these leave; as many goes as it takes, each from what those before
    it found. hurry(): nothing else is to be done any more."""

    TIMEOUT = 70  # a fuzzer's exit status: an input took more than -timeout, by the wall clock

    def __init__(self, paths, seconds, work):
        self.waiting, self.seconds, self.work = list(paths), seconds, work  # seconds of a fuzzer's name
        self.done = []  # (name, failed?, its log)
        self.alone = threading.Event()
        self.threads = [threading.Thread(target=self._work, daemon=True) for _ in range(CPUS)]
        for thread in self.threads:
            thread.start()

    def hurry(self):
        self.alone.set()
        for thread in self.threads:
            thread.join()

    def _work(self):
        while True:
            try:
                path = self.waiting.pop(0)
            except IndexError:
                return
            log = pathlib.Path(self.work, f"{path.name}.log")
            try:
                failed = self._fuzz(path, log)
                text = log.read_text(encoding="utf-8", errors="replace")
            except Exception as error:  # it is no fuzzer that was good
                failed, text = True, f"{type(error).__name__}: {error}"
            self.done.append((path.name, failed, text))

    def _fuzz(self, path, log):
        found, used, seconds = pathlib.Path(self.work, path.name), 0.0, self.seconds(path.name)
        found.mkdir()
        while used < seconds - 0.5:
            beside = not self.alone.is_set()
            status, spent = self._go(path, found, log, math.ceil(seconds - used), beside)
            used += spent
            if status == self.TIMEOUT and beside:
                # Perhaps for want of CPU time: the input comes first when there is nothing else.
                self.alone.wait()
                for late in found.parent.glob(f"{path.name}-timeout-*"):
                    late.rename(found / late.name)
            elif status != 0:
                return True
        return False

    def _go(self, path, found, log, seconds, beside):
        """Its exit status, and the CPU time that it took. The kernel weighs sessions against each other by the value in
        autogroup, and processes by their nice value within one alone."""
        quiet = 'nice=$1; shift; echo $nice 2>/dev/null >/proc/self/autogroup; exec setpriv --pdeathsig KILL nice -n $nice "$@"'
        with open(log, "ab") as out:
            process = subprocess.Popen(
                ["sh", "-c", quiet, "sh", "19" if beside else "0",
                 path, f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=2048", f"-dict={path}.dict",
                 f"-artifact_prefix={self.work}/{path.name}-", found, seeds_of(path)],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
                env={**os.environ, **SANITIZERS})
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        return process.returncode, usage.ru_utime + usage.ru_stime


def seconds_of(parser):
    return 3 if parser in OF_OURS else 15


def fuzz_begin(step, args):
    """Built, and at work from now on."""
    args.fuzz_begun, args.fuzzing = True, None
    build(step, "asan", *(path.stem for path in sorted(ROOT.glob("tests/fuzz/fuzz_*.c"))))
    paths = sorted((ROOT / "build/asan/fuzz").glob("fuzz_*"))
    paths = [path for path in paths if os.access(path, os.X_OK) and path.is_file()]
    for path in paths:
        step.one(seeds_of(path).is_dir() and pathlib.Path(f"{path}.dict").exists(), f"{path.name}: no seeds, or no dictionary")
    if not paths:
        raise Failed("no fuzzer was built")
    args.fuzzing = Fuzzing(paths, lambda name: 300 if args.long else seconds_of(name.removeprefix("fuzz_")), tempfile.mkdtemp(prefix="sg-fuzz"))


def step_fuzz(step, args):
    """What the fuzzers found, when the last one has had its time."""
    if not args.fuzz_begun:
        fuzz_begin(step, args)
    if not args.fuzzing:
        return
    try:
        args.fuzzing.hurry()
        for name, failed, text in sorted(args.fuzzing.done):
            step._note(f"$ {name}\n{tail(text, 60)}\n")
            step.one(not failed, f"{name}: {tail(text, 5)}")
    finally:
        shutil.rmtree(args.fuzzing.work)


def seeds_of(path):
    return ROOT / "tests/fuzz/corpus" / path.name


def openapi_begin(step, args):
    """The linter is fetched and run beside the build: it waits for the network most of its time."""
    if not shutil.which("npm"):
        raise Failed("no npm")
    args.lint = concurrent.futures.ThreadPoolExecutor(1).submit(step.run, "tests/openapi/lint")


def step_openapi(step, args):
    """api/openapi.yaml is a clean OpenAPI 3.1 description, and each operation has what all have."""
    if not args.lint:
        openapi_begin(step, args)
    args.lint.result()
    step.one(True)
    apid = ROOT / "build/release/bin/apid"
    if apid.exists():
        status, _ = step.run("tests/openapi/complete", "--check", apid, good=(0, 1))
        step.one(status == 0, f"run tests/openapi/complete {apid.relative_to(ROOT)}")


def step_requirements(step, args):
    """docs/conformance.md is what the marks say; the rows that must have a test have one."""
    required = ROOT / "docs/required-rows"
    rows = ["--rows", required.read_text(encoding="ascii").strip()] if required.exists() else []
    step.run("tools/trace-requirements", "--check", *rows)
    step.one(True)


STEPS = {function.__name__[5:]: function for function in
         (step_format, step_release, step_openapi, step_requirements, step_system, step_operations,
          step_asan,
          step_smoke, step_tsan, step_fuzz)}


def main():
    parser = argparse.ArgumentParser(prog="tools/check", description=__doc__)
    parser.add_argument("--long", action="store_true", help="many rounds and large numbers too")
    parser.add_argument("--only", metavar="STEP", help="of: " + ", ".join(STEPS))
    args = parser.parse_args()
    names = args.only.split(",") if args.only else list(STEPS)
    for name in names:
        if name not in STEPS:
            parser.error(f"no such step: {name}")
    logs = ROOT / "build/check"
    logs.mkdir(parents=True, exist_ok=True)
    began, args.fuzz_begun, args.lint = time.monotonic(), False, None
    steps = {name: Step(name, logs / f"{name}.log") for name in names}
    for name, step in steps.items():
        if name == "release" and "openapi" in steps:
            steps["openapi"].do(openapi_begin, args)
        if name == "system" and "fuzz" in steps:
            steps["fuzz"].do(fuzz_begin, args)
        step.do(STEPS[name], args)
        print(f"{name:<13} {step.passed:>5} passed {step.failed:>4} failed  {step.seconds:6.1f} s", flush=True)
        for note in step.notes:
            print("    " + note.replace("\n", "\n    "), flush=True)
    print(f"\n{time.monotonic() - began:.0f} s; logs in {logs.relative_to(ROOT)}")
    passed, failed = sum(s.passed for s in steps.values()), sum(s.failed for s in steps.values())
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
