sg_fuzzer(fuzz_courier_kept SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_courier_kept.c LINKS courier DICT courier)
