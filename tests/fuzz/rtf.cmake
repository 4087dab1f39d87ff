sg_fuzzer(fuzz_rtf SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_rtf.c LINKS rtf mime DICT tnef)
