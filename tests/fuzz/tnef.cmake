sg_fuzzer(fuzz_tnef SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_tnef.c LINKS tnefreader)
sg_fuzzer(fuzz_tnef_answer SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_tnef_answer.c LINKS tnef)
