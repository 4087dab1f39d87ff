sg_fuzzer(fuzz_json_spec SOURCES fuzz_json_spec.c LINKS api DICT json)
sg_fuzzer(fuzz_pem SOURCES fuzz_pem.c LINKS api DICT asn1)
