sg_fuzzer(fuzz_txt SOURCES fuzz_txt.c LINKS domain)
