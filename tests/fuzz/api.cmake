sg_fuzzer(fuzz_json_spec SOURCES fuzz_json_spec.c LINKS api)
