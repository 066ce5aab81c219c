# Read by CMake when libsolv-sys builds the bundled libsolv: RPM version rules and boolean
# dependencies instead of Debian's, and zlib as a static library.
set(DEBIAN OFF CACHE BOOL "" FORCE)
set(ENABLE_DEBIAN OFF CACHE BOOL "" FORCE)
set(ENABLE_COMPLEX_DEPS ON CACHE BOOL "" FORCE)
set(ZLIB_LIBRARY "-l:libz.a" CACHE STRING "" FORCE)
