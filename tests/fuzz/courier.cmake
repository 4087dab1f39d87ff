sg_fuzzer(fuzz_courier_kept SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_courier_kept.c LINKS courier DICT courier)
sg_fuzzer(fuzz_courier_job SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_courier_job.c LINKS courier DICT courier)
sg_fuzzer(fuzz_courier_answer SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_courier_answer.c LINKS courier DICT courier smtp)
