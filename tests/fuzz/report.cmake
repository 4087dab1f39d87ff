sg_fuzzer(fuzz_report SOURCES fuzz_report.c LINKS report DICT json)
