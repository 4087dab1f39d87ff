sg_fuzzer(fuzz_notice_report SOURCES fuzz_notice_report.c LINKS notice DICT mime smtp)
