#pragma once

// What is compiled for several instruction sets must be inlined: of functions that several files have alike, the linker keeps the one
// of any file, and a processor may not know its instructions.
#define INLINE __attribute__((always_inline))
