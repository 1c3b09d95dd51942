#pragma once

// For functions in headers that are compiled for several instruction sets: of equal functions in several object files the linker keeps
// one, perhaps with instructions that the processor does not have. Inlined functions are not linked.
#define INLINE __attribute__((always_inline))
