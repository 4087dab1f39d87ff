sg_fuzzer(fuzz_est SOURCES fuzz_est.c LINKS certlifecore)
