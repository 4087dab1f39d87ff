sg_fuzzer(fuzz_cert SOURCES fuzz_cert.c LINKS cert DICT asn1)
