// Vectors of float32 in the register size of the instruction set, by the compiler's vector extensions. A loop over values is written
// once, with a body that takes a vector or a single float.
#pragma once
#include "inline.h"
#include "plan.h"

#if defined(__AVX512F__)
constexpr int64_t LANES = 16;
#elif defined(__AVX2__)
constexpr int64_t LANES = 8;
#else
constexpr int64_t LANES = 4;
#endif

namespace {

typedef float Lanes __attribute__((vector_size(LANES * 4)));
typedef float UnalignedLanes __attribute__((vector_size(LANES * 4), aligned(4), may_alias));

// The last argument only chooses the overload: a vector or a single float.
INLINE inline Lanes load(const float* p, Lanes) { return *reinterpret_cast<const UnalignedLanes*>(p); }
INLINE inline float load(const float* p, float) { return *p; }
INLINE inline void store(float* p, Lanes v) { *reinterpret_cast<UnalignedLanes*>(p) = v; }
INLINE inline void store(float* p, float v) { *p = v; }

// Calls body(kind, i, k) for all values from `from` to `to`, each time for as many from i on as `kind` has. k is 0 to 3, so that four
// sums can be added up independently.
template <class Body>
INLINE inline void along(int64_t from, int64_t to, Body body) {
  int64_t i = from;
  for (; i + 4 * LANES <= to; i += 4 * LANES) {
    body(Lanes(), i, 0);
    body(Lanes(), i + LANES, 1);
    body(Lanes(), i + 2 * LANES, 2);
    body(Lanes(), i + 3 * LANES, 3);
  }
  for (; i + LANES <= to; i += LANES) body(Lanes(), i, 0);
  for (; i < to; ++i) body(float(), i, 0);
}

// A sum in float32 lanes, whose total is taken in float64.
struct Sum {
  Lanes lanes[4] = {};
  float rest = 0;

  INLINE inline void add(Lanes v, int k) { lanes[k] += v; }
  INLINE inline void add(float v, int) { rest += v; }

  INLINE inline double total() const {
    const Lanes all = (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]);
    double sums[LANES];
    for (int64_t k = 0; k < LANES; ++k) sums[k] = all[k];
    for (int64_t half = LANES / 2; half > 0; half /= 2) {
      for (int64_t k = 0; k < half; ++k) sums[k] += sums[k + half];
    }
    return sums[0] + rest;
  }
};

}  // namespace
