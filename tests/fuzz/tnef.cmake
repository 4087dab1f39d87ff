sg_fuzzer(fuzz_tnef SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_tnef.c LINKS tnefreader DICT tnef)
sg_fuzzer(fuzz_tnef_answer SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_tnef_answer.c LINKS tnef DICT tnef mime)
