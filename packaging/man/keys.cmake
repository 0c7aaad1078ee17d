# cmake -D WNACTL=... -D IN=... -D OUT=... -P keys.cmake: agent.conf(5) with the list
# of keys as wnactl itself has it, so that the two cannot differ.
execute_process(COMMAND ${WNACTL} config --keys --roff OUTPUT_VARIABLE keys RESULT_VARIABLE failed)
if(failed)
	message(FATAL_ERROR "${WNACTL} config --keys --roff: ${failed}")
endif()
# mandoc takes a bracket at the end of a heading for punctuation.
string(REGEX REPLACE "\\.Ss \\[([^\n]*)\\]\n" ".Ss \\\\(lB\\1\\\\(rB\n" keys "${keys}")
file(READ ${IN} page)
string(REGEX REPLACE "\\.\\\\\"KEYS:[^\n]*\n" "@KEYS@" page "${page}")
string(REPLACE "@KEYS@" "${keys}" page "${page}")
if(NOT page MATCHES "\\.It Cm ")
	message(FATAL_ERROR "${IN}: no list of keys came of it")
endif()
file(WRITE ${OUT} "${page}")
