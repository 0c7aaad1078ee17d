# Run by `cmake --install`. Installs agent.conf into conf_dir. An existing agent.conf is kept; the
# new file is then installed beside it, unless both are the same. In a package's staging folder
# (DESTDIR) no file exists.
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
