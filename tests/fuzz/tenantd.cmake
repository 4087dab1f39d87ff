sg_fuzzer(fuzz_txt SOURCES fuzz_txt.c LINKS domain DICT text)
sg_fuzzer(fuzz_members SOURCES fuzz_members.c LINKS directory DICT text)
