// What is to be computed: the view of x as [n, s, c] with groups of channels, and the divisor of a group. The formulas and their
// names are those of kernels/core/contract.ts.
#pragma once
#include <cstdint>

#include "inline.h"

// The numbers of PLACEMENTS and NO_DIVISION in kernels/node/native.ts.
enum Placement { INSIDE = 0, OUTSIDE = 1, FLOOR = 2, NO_DIVISION = 3 };

// The smallest divisor: the root of the smallest normal float32.
constexpr double SMALLEST_DIVISOR = 1.0842021724855044e-19;
// A variance of no more than this share of the square of the mean deviation from the pivot is rounding error: 2^-14.
constexpr double ROUNDING = 6.103515625e-5;
// The same for a variance merged from parts, as a share of the square of the mean: 2^-66, as in kernels/core/numbers.ts. Equal values have
// exact means in all parts, whose sum is exact up to 2^29 values: only a group of more leaves an error here, which no test makes.
constexpr double MERGED = 1.3552527156068805e-20;

struct Form {
  int64_t n, s, c, groups;
  double epsilon;
  Placement placement;
  bool center;
  // How many consecutive rows of [n s, c] share a row of gamma and beta, a condition: n s if there are no conditions. It is s, or a
  // multiple or divisor of s.
  int64_t rowsPerCondition;

  INLINE int64_t sampleSize() const { return s * c; }
  INLINE int64_t size() const { return n * s * c; }
  INLINE int64_t groupWidth() const { return c / groups; }
  INLINE int64_t conditions() const { return n * s / rowsPerCondition; }
  // A condition has several samples, or a sample several conditions, or both have one.
  INLINE int64_t samplesPerCondition() const { return rowsPerCondition > s ? rowsPerCondition / s : 1; }
  INLINE int64_t conditionsPerSample() const { return rowsPerCondition < s ? s / rowsPerCondition : 1; }

  INLINE double divisor(double v) const {
    if (placement == INSIDE) return __builtin_sqrt(v + epsilon);
    if (placement == OUTSIDE) return __builtin_sqrt(v) + epsilon;
    if (placement == NO_DIVISION) return 1;
    const double root = __builtin_sqrt(v);
    return root < epsilon ? epsilon : root;  // NaN stays NaN
  }

  // 1 / f, or 0 where f is too small to divide by.
  INLINE double reciprocal(double v) const {
    const double f = divisor(v);
    return f < SMALLEST_DIVISOR ? 0 : 1 / f;
  }

  // The factor k of the term of xHat in dx.
  INLINE double curvature(double v) const {
    if (placement == NO_DIVISION) return 0;
    if (placement == OUTSIDE) return v == 0 ? 0 : divisor(v) / __builtin_sqrt(v);
    return 1;
  }

  // Whether dx is 0 in a group with variance v.
  INLINE bool isFlat(double v) const { return placement == FLOOR && __builtin_sqrt(v) <= epsilon; }
};
