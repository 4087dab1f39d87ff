sg_fuzzer(fuzz_simulate SOURCES fuzz_simulate.c LINKS simulate DICT json)
