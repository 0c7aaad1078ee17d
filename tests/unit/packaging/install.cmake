# cmake -D BUILD=... -D FOLDER=... -D CONF=... -P install.cmake: what `cmake --install`
# lays out below FOLDER, and what it leaves alone there the second time. CONF is the
# configuration's folder.
set(at ${FOLDER}${CONF})

function(install)
	execute_process(COMMAND ${CMAKE_COMMAND} -E env DESTDIR=${FOLDER}
			${CMAKE_COMMAND} --install ${BUILD}
		OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
endfunction()

function(expect file text)
	file(READ ${file} found)
	if(NOT found STREQUAL text)
		message(SEND_ERROR "${file} is not as expected: ${found}")
	endif()
endfunction()

file(REMOVE_RECURSE ${FOLDER})
install()
file(READ ${at}/agent.conf shipped)
if(NOT IS_DIRECTORY ${at}/agent.conf.d)
	message(SEND_ERROR "no folder for drop-ins")
endif()
file(GLOB_RECURSE licence ${FOLDER}/LICENSE)
if(NOT licence)
	message(SEND_ERROR "no licence")
endif()

# Nobody has touched it: nothing is laid beside it.
install()
if(EXISTS ${at}/agent.conf.new)
	message(SEND_ERROR "agent.conf.new beside the same agent.conf")
endif()

file(WRITE ${at}/agent.conf "[mount]\nenabled = yes\n")
install()
expect(${at}/agent.conf "[mount]\nenabled = yes\n")
expect(${at}/agent.conf.new "${shipped}")
file(REMOVE_RECURSE ${FOLDER})
