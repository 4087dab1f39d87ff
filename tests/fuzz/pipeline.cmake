sg_fuzzer(fuzz_subject_tags SOURCES fuzz_subject_tags.c LINKS pipeline)
