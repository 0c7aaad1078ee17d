# Run by `cmake --install`. Installs agent.conf into conf_dir; where there is one, it
# is somebody's by now: it stays, and the new one is laid beside it, unless both are
# the same. A package's staging folder (DESTDIR) is empty, and has agent.conf then.
set(new ${CMAKE_CURRENT_LIST_DIR}/agent.conf)
set(there $ENV{DESTDIR}${conf_dir}/agent.conf)
set(name agent.conf)
if(EXISTS ${there})
	file(SHA256 ${there} theirs)
	file(SHA256 ${new} ours)
	if(theirs STREQUAL ours)
		message(STATUS "Up-to-date: ${there}")
		return()
	endif()
	set(name agent.conf.new)
	message(STATUS "Kept: ${there}")
endif()
file(INSTALL DESTINATION ${conf_dir} TYPE FILE RENAME ${name} FILES ${new})
