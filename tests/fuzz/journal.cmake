sg_fuzzer(fuzz_journal_segment SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_journal_segment.c LINKS journal DICT journal)
sg_fuzzer(fuzz_journal_recover SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_journal_recover.c LINKS journal DICT journal)
