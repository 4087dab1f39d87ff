sg_fuzzer(fuzz_est SOURCES fuzz_est.c LINKS certlifecore DICT asn1 mime)
