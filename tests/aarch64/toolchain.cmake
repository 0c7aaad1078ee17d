# Debian's cross compiler against a sysroot of unpacked arm64 packages; run as
#	cmake --toolchain tests/aarch64/toolchain.cmake -D WNA_SYSROOT=FOLDER ...
# (tests/aarch64/run makes the folder.)
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
# CMake reads this file anew for each of its trial compilations.
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES WNA_SYSROOT)
set(CMAKE_SYSROOT ${WNA_SYSROOT})

# Libraries are the sysroot's, programs this machine's.
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${WNA_SYSROOT})
set(ENV{PKG_CONFIG_LIBDIR}
	${WNA_SYSROOT}/usr/lib/aarch64-linux-gnu/pkgconfig:${WNA_SYSROOT}/usr/share/pkgconfig)
