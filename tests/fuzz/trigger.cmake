sg_fuzzer(fuzz_trigger SOURCES fuzz_trigger.c LINKS trigger DICT mime tnef)
