sg_fuzzer(fuzz_config SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_config.c LINKS common DICT text)
sg_fuzzer(fuzz_networks SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_networks.c LINKS common DICT text)
