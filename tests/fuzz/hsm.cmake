sg_fuzzer(fuzz_hsm_request SOURCES fuzz_hsm_request.c LINKS hsmclient)
sg_fuzzer(fuzz_hsm_key SOURCES fuzz_hsm_key.c LINKS hsm)
