# Read by CMake when libsolv-sys builds the bundled libsolv: RPM version rules and boolean
# dependencies instead of Debian's, and zlib as a static library.
set(DEBIAN OFF CACHE BOOL "" FORCE)
set(ENABLE_DEBIAN OFF CACHE BOOL "" FORCE)
set(ENABLE_COMPLEX_DEPS ON CACHE BOOL "" FORCE)
set(ZLIB_LIBRARY "-l:libz.a" CACHE STRING "" FORCE)

# For another architecture than this machine's: Debian's cross compiler, and the zlib that `./dev` fetches.
if(NOT "$ENV{TARGET}" STREQUAL "$ENV{HOST}")
  string(REGEX REPLACE "-.*" "" CMAKE_SYSTEM_PROCESSOR "$ENV{TARGET}")
  set(CMAKE_SYSTEM_NAME Linux)
  set(CMAKE_C_COMPILER "${CMAKE_SYSTEM_PROCESSOR}-linux-gnu-gcc")
  set(CMAKE_CXX_COMPILER "${CMAKE_SYSTEM_PROCESSOR}-linux-gnu-g++")
  set(ZLIB_LIBRARY "$ENV{ZLIB_FOR}/usr/lib/${CMAKE_SYSTEM_PROCESSOR}-linux-gnu/libz.a" CACHE STRING "" FORCE)
  set(ZLIB_INCLUDE_DIR "$ENV{ZLIB_FOR}/usr/include" CACHE PATH "" FORCE)
endif()
