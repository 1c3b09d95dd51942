// Chooses among the compiled kernels by the instruction sets of this processor.
#include "kernels.h"

extern const Kernels baselineKernels;

#if defined(__x86_64__)

extern const Kernels avx2Kernels, avx512Kernels;

bool isSupported() { return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt"); }

static bool hasAvx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
static bool hasAvx512() {
  return hasAvx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
}

const char* instructionSet() { return hasAvx512() ? "AVX-512" : hasAvx2() ? "AVX2" : "SSE4.2"; }

// Whether registers of `lanes` values leave few values of a row over, which are done one by one.
static bool fits(int64_t rowSize, int64_t lanes) { return rowSize % lanes == 0 || rowSize >= 8 * lanes; }

const Kernels& kernelsFor(int64_t rowSize) {
  if (hasAvx512() && fits(rowSize, 16)) return avx512Kernels;
  if (hasAvx2() && fits(rowSize, 8)) return avx2Kernels;
  return baselineKernels;
}

#else

bool isSupported() { return true; }
const char* instructionSet() { return "NEON"; }
const Kernels& kernelsFor(int64_t) { return baselineKernels; }

#endif
