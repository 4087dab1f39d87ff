sg_fuzzer(fuzz_header SOURCES fuzz_header.c LINKS mime)
sg_fuzzer(fuzz_mailbox SOURCES fuzz_mailbox.c LINKS mime)
sg_fuzzer(fuzz_date SOURCES fuzz_date.c LINKS mime)
sg_fuzzer(fuzz_content_type SOURCES fuzz_content_type.c LINKS mime)
