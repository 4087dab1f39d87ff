sg_fuzzer(fuzz_subject_tags SOURCES fuzz_subject_tags.c LINKS pipeline DICT mime)
sg_fuzzer(fuzz_submission SOURCES fuzz_submission.c LINKS pipeline DICT text)
