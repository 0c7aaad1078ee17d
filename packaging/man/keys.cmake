# cmake -D WNACTL=... -D IN=... -D OUT=... -P keys.cmake: makes agent.conf(5) with wnactl's
# own list of keys.
execute_process(COMMAND ${WNACTL} config --keys --roff OUTPUT_VARIABLE keys RESULT_VARIABLE failed)
if(failed)
	message(FATAL_ERROR "${WNACTL} config --keys --roff: ${failed}")
endif()
# mandoc reads a bracket at the end of a heading as punctuation.
string(REGEX REPLACE "\\.Ss \\[([^\n]*)\\]\n" ".Ss \\\\(lB\\1\\\\(rB\n" keys "${keys}")
file(READ ${IN} page)
string(REGEX REPLACE "\\.\\\\\"KEYS:[^\n]*\n" "@KEYS@" page "${page}")
string(REPLACE "@KEYS@" "${keys}" page "${page}")
if(NOT page MATCHES "\\.It Cm ")
	message(FATAL_ERROR "${IN}: the list of keys is missing")
endif()
file(WRITE ${OUT} "${page}")
