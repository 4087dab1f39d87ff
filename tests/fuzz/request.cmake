sg_fuzzer(fuzz_request SOURCES fuzz_request.c LINKS request DICT mime asn1)
