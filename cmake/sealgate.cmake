# Flags for every target, and sg_library/sg_daemon/sg_test: how a folder becomes a library
# that sees only the headers of what it links.

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(OPENSSL REQUIRED IMPORTED_TARGET libcrypto>=3.0 libssl>=3.0)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(SYSTEMD REQUIRED IMPORTED_TARGET libsystemd)
pkg_check_modules(PQ REQUIRED IMPORTED_TARGET libpq)
pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl)
pkg_check_modules(MHD REQUIRED IMPORTED_TARGET libmicrohttpd)
pkg_check_modules(GNUTLS REQUIRED IMPORTED_TARGET gnutls)
pkg_check_modules(IDN2 REQUIRED IMPORTED_TARGET libidn2)
pkg_check_modules(PSL REQUIRED IMPORTED_TARGET libpsl)
pkg_check_modules(P11KIT REQUIRED IMPORTED_TARGET p11-kit-1)
pkg_check_modules(SECCOMP REQUIRED IMPORTED_TARGET libseccomp)
find_library(SG_LDAP_LIB ldap REQUIRED)
find_library(SG_LBER_LIB lber REQUIRED)
find_library(SG_UNBOUND_LIB unbound REQUIRED) # its .pc file asks for what only static linking needs

# sg_flags is for all; sg_plain_flags, the same without sanitizers, for what runs where they cannot.
add_library(sg_plain_flags INTERFACE)
target_compile_features(sg_plain_flags INTERFACE c_std_17)
target_compile_definitions(sg_plain_flags INTERFACE _GNU_SOURCE SG_VERSION="${PROJECT_VERSION}"
                           OPENSSL_API_COMPAT=0x30000000L OPENSSL_NO_DEPRECATED)
target_compile_options(sg_plain_flags INTERFACE
  -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla
  -Wformat=2 -Wwrite-strings -fno-strict-aliasing -fstack-protector-strong -fPIE
  -fno-common)
if(SG_WERROR)
  target_compile_options(sg_plain_flags INTERFACE -Werror)
endif()
target_link_options(sg_plain_flags INTERFACE -pie -Wl,-z,relro,-z,now -Wl,-z,noexecstack)
target_link_libraries(sg_plain_flags INTERFACE Threads::Threads)

add_library(sg_flags INTERFACE)
target_link_libraries(sg_flags INTERFACE sg_plain_flags)
if(SG_SETTABLE_CLOCK)
  target_compile_definitions(sg_flags INTERFACE SG_SETTABLE_CLOCK=1)
endif()
if(SG_SANITIZE)
  target_compile_options(sg_flags INTERFACE -fsanitize=${SG_SANITIZE} -fno-sanitize-recover=all
                         -fno-omit-frame-pointer $<$<BOOL:${SG_FUZZ}>:-fsanitize=fuzzer-no-link>)
  target_compile_definitions(sg_flags INTERFACE SG_SANITIZED=1) # each compiler says it otherwise
  target_link_options(sg_flags INTERFACE -fsanitize=${SG_SANITIZE})
else()
  # _FORTIFY_SOURCE hides accesses from the sanitizers, so it is for the other builds.
  target_compile_options(sg_plain_flags INTERFACE
    $<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3>)
endif()

# sg_library(NAME [SOURCES ...] [LINKS libs...] [PRIVATE_LINKS libs...])
# The folder's headers are included as "NAME/header.h", and only by what links NAME.
function(sg_library name)
  cmake_parse_arguments(A "" "" "SOURCES;LINKS;PRIVATE_LINKS" ${ARGN})
  add_library(${name} STATIC ${A_SOURCES})
  set(view ${CMAKE_BINARY_DIR}/include/${name})
  file(MAKE_DIRECTORY ${view})
  file(CREATE_LINK ${CMAKE_CURRENT_SOURCE_DIR} ${view}/${name} SYMBOLIC)
  target_include_directories(${name} PUBLIC ${view})
  target_link_libraries(${name} PUBLIC sg_flags ${A_LINKS} PRIVATE ${A_PRIVATE_LINKS})
endfunction()

# sg_program(NAME [CLOCKED] SOURCES ... LINKS ... [SWITCHED ...]): a daemon or a command, put into build/bin.
# CLOCKED makes it a second time in build/clock/bin, with a clock that tests may set (common/clock.h)
# and, where SWITCHED names the sources of rules, with rules that tests may switch off: the program
# that ships never has them.
# LEAKY names sources in which SG_LEAKY_ORACLE is a mistake that lets an attacker tell one failure from another, and
# makes the program once more, in build/leaky/bin: tests/system/test_oracle.py must see it. Such a program says so in
# its version and does not start unless the environment says that it is wanted (common/daemon.c).
function(sg_program name)
  cmake_parse_arguments(A "CLOCKED" "" "SOURCES;LINKS;SWITCHED;LEAKY" ${ARGN})
  add_executable(${name} ${A_SOURCES})
  target_link_libraries(${name} PRIVATE sg_flags ${A_LINKS})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
  if(A_CLOCKED)
    # Its own clock.c and rules come before the library's, which are then not taken.
    add_executable(${name}_clock ${A_SOURCES} ${CMAKE_SOURCE_DIR}/common/clock.c ${A_SWITCHED})
    target_compile_definitions(${name}_clock PRIVATE SG_SETTABLE_CLOCK=1)
    if(A_SWITCHED)
      target_compile_definitions(${name}_clock PRIVATE SG_RULE_SWITCH=1)
    endif()
    target_link_libraries(${name}_clock PRIVATE sg_flags ${A_LINKS})
    set_target_properties(${name}_clock PROPERTIES OUTPUT_NAME ${name}
                          RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/clock/bin)
  endif()
  if(A_LEAKY)
    add_executable(${name}_leaky ${A_SOURCES} ${CMAKE_SOURCE_DIR}/common/daemon.c ${A_LEAKY})
    target_compile_definitions(${name}_leaky PRIVATE SG_LEAKY_ORACLE=1)
    target_link_libraries(${name}_leaky PRIVATE sg_flags ${A_LINKS} PkgConfig::SYSTEMD)
    set_target_properties(${name}_leaky PROPERTIES OUTPUT_NAME ${name}
                          RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/leaky/bin)
  endif()
endfunction()

# sg_test(NAME SOURCES ... LINKS ...): a cmocka unit test, run by ctest.
function(sg_test name)
  cmake_parse_arguments(A "" "" "SOURCES;LINKS" ${ARGN})
  add_executable(${name} ${A_SOURCES})
  target_link_libraries(${name} PRIVATE sg_flags ${A_LINKS} cmocka)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  target_compile_definitions(${name} PRIVATE SG_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT 120)
endfunction()

# sg_fuzzer(NAME SOURCES ... LINKS ... DICT ...): a libFuzzer harness; seeds lie in tests/fuzz/corpus/NAME, its dictionary
# is put together from those of tests/fuzz/dict.
function(sg_fuzzer name)
  if(NOT SG_FUZZ)
    return()
  endif()
  cmake_parse_arguments(A "" "" "SOURCES;LINKS;DICT" ${ARGN})
  add_executable(${name} ${A_SOURCES})
  target_link_libraries(${name} PRIVATE sg_flags ${A_LINKS})
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
  set(words "")
  foreach(dict IN LISTS A_DICT)
    set(file ${CMAKE_SOURCE_DIR}/tests/fuzz/dict/${dict}.dict)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    file(READ ${file} text)
    string(APPEND words "${text}")
  endforeach()
  if(words)
    file(WRITE ${CMAKE_BINARY_DIR}/fuzz/${name}.dict "${words}")
  endif()
endfunction()
