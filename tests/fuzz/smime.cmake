sg_fuzzer(fuzz_base64 SOURCES fuzz_base64.c LINKS smime)
sg_fuzzer(fuzz_cms_open SOURCES fuzz_cms_open.c LINKS smime)
sg_fuzzer(fuzz_capabilities SOURCES fuzz_capabilities.c LINKS smime)
