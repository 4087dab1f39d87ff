sg_fuzzer(fuzz_hsm_request SOURCES fuzz_hsm_request.c LINKS hsmclient DICT hsm asn1)
sg_fuzzer(fuzz_hsm_key SOURCES fuzz_hsm_key.c LINKS hsm DICT hsm asn1)
sg_fuzzer(fuzz_hsm_reply SOURCES fuzz_hsm_reply.c LINKS hsmclient DICT hsm asn1)
