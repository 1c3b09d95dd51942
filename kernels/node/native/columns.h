// Sums down the columns of a matrix, which belong to channels, and arithmetic with a coefficient per column (views with s > 1). See
// `Kernels`.
#pragma once
#include "kernels.h"
#include "lanes.h"

namespace {

// The rows of a column that are summed in float32 before their sum moves on to float64. They are read twice from the cache.
constexpr int64_t BLOCK = 128;

// Merges sums of d and d^2 over n rows, d = x - pivot, into mean and M2 of n0 rows (Chan et al.), of `count` columns.
template <int64_t COUNT>
INLINE inline void merge(const float* pivot, const float* sum, const float* squares, double n0, double n, double* mean,
                         double* m2) {
  const double inverse = 1 / n, share = n / (n0 + n), weight = n0 * share;
  for (int64_t k = 0; k < COUNT; ++k) {
    const double delta = sum[k] * inverse, square = sum[k] * delta, all = squares[k] - square;
    const double within = all <= square * ROUNDING ? 0 : all;  // rounding error of equal values counts as 0
    const double d = pivot[k] + delta - mean[k];
    mean[k] += d * share;
    m2[k] += within + d * d * weight;
  }
}

// Moments of AT_ONCE neighbouring vectors of columns, each of the lanes of `kind`, down `rows` rows.
template <int AT_ONCE, class Kind>
INLINE inline void stripeMoments(Kind kind, const float* x, int64_t rows, int64_t stride, double n0, double* mean, double* m2) {
  constexpr int64_t WIDTH = sizeof(Kind) / sizeof(float);
  Kind pivot[AT_ONCE], sum[AT_ONCE], squares[AT_ONCE];
  for (int k = 0; k < AT_ONCE; ++k) pivot[k] = sum[k] = squares[k] = Kind{};
  const float* end = x + rows * stride;
  for (const float* p = x; p < end; p += stride) {
    for (int k = 0; k < AT_ONCE; ++k) pivot[k] += load(p + k * WIDTH, kind);
  }
  for (int k = 0; k < AT_ONCE; ++k) pivot[k] = pivot[k] * (1 / static_cast<float>(rows));
  for (const float* p = x; p < end; p += stride) {
    for (int k = 0; k < AT_ONCE; ++k) {
      const Kind d = load(p + k * WIDTH, kind) - pivot[k];
      sum[k] += d;
      squares[k] += d * d;
    }
  }
  float ofPivot[AT_ONCE * WIDTH], ofSum[AT_ONCE * WIDTH], ofSquares[AT_ONCE * WIDTH];
  for (int k = 0; k < AT_ONCE; ++k) {
    store(ofPivot + k * WIDTH, pivot[k]);
    store(ofSum + k * WIDTH, sum[k]);
    store(ofSquares + k * WIDTH, squares[k]);
  }
  merge<AT_ONCE * WIDTH>(ofPivot, ofSum, ofSquares, n0, static_cast<double>(rows), mean, m2);
}

void blockMoments(const float* x, int64_t rows, int64_t stride, int64_t columns, double n0, double* mean, double* m2) {
  int64_t j = 0;
  for (; j + 4 * LANES <= columns; j += 4 * LANES) stripeMoments<4>(Lanes(), x + j, rows, stride, n0, mean + j, m2 + j);
  for (; j + LANES <= columns; j += LANES) stripeMoments<1>(Lanes(), x + j, rows, stride, n0, mean + j, m2 + j);
  for (; j < columns; ++j) stripeMoments<1>(float(), x + j, rows, stride, n0, mean + j, m2 + j);
}

void columnMoments(const float* x, int64_t size, int64_t wide, double* mean, double* m2) {
  for (int64_t j = 0; j < wide; ++j) mean[j] = m2[j] = 0;
  const int64_t rows = size / wide, tail = size % wide;
  for (int64_t row = 0; row < rows; row += BLOCK) {
    blockMoments(x + row * wide, least(BLOCK, rows - row), wide, wide, static_cast<double>(row), mean, m2);
  }
  if (tail) blockMoments(x + rows * wide, 1, wide, tail, static_cast<double>(rows), mean, m2);
}

// Calls body(row, width) for whole rows and a shorter last one.
template <class Body>
INLINE inline void inRows(int64_t size, int64_t wide, Body body) {
  for (int64_t at = 0; at < size; at += wide) body(at, least(wide, size - at));
}

void columnAffine(const float* x, int64_t size, int64_t wide, const float* pivot, const float* scale, const float* shift,
                  float* y) {
  inRows(size, wide, [&](int64_t at, int64_t width) INLINE {
    along(0, width, [&](auto kind, int64_t j, int) INLINE {
      store(y + at + j, (load(x + at + j, kind) - load(pivot + j, kind)) * load(scale + j, kind) + load(shift + j, kind));
    });
  });
}

template <int AT_ONCE, class Kind>
INLINE inline void stripeGradSums(Kind kind, const float* dy, const float* x, int64_t rows, int64_t stride, const float* mean,
                                  double* sumDy, double* sumDyd, double* sumd) {
  constexpr int64_t WIDTH = sizeof(Kind) / sizeof(float);
  Kind sDy[AT_ONCE], sDyd[AT_ONCE], sd[AT_ONCE];
  for (int k = 0; k < AT_ONCE; ++k) sDy[k] = sDyd[k] = sd[k] = Kind{};
  for (int64_t row = 0; row < rows; ++row, dy += stride, x += stride) {
    for (int k = 0; k < AT_ONCE; ++k) {
      const Kind g = load(dy + k * WIDTH, kind), d = load(x + k * WIDTH, kind) - load(mean + k * WIDTH, kind);
      sDy[k] += g;
      sDyd[k] += g * d;
      sd[k] += d;
    }
  }
  float sums[3][AT_ONCE * WIDTH];
  for (int k = 0; k < AT_ONCE; ++k) {
    store(sums[0] + k * WIDTH, sDy[k]);
    store(sums[1] + k * WIDTH, sDyd[k]);
    store(sums[2] + k * WIDTH, sd[k]);
  }
  for (int64_t k = 0; k < AT_ONCE * WIDTH; ++k) {
    sumDy[k] += sums[0][k];
    sumDyd[k] += sums[1][k];
    sumd[k] += sums[2][k];
  }
}

void blockGradSums(const float* dy, const float* x, int64_t rows, int64_t stride, int64_t columns, const float* mean,
                   double* sumDy, double* sumDyd, double* sumd) {
  int64_t j = 0;
  for (; j + 2 * LANES <= columns; j += 2 * LANES) {
    stripeGradSums<2>(Lanes(), dy + j, x + j, rows, stride, mean + j, sumDy + j, sumDyd + j, sumd + j);
  }
  for (; j + LANES <= columns; j += LANES) {
    stripeGradSums<1>(Lanes(), dy + j, x + j, rows, stride, mean + j, sumDy + j, sumDyd + j, sumd + j);
  }
  for (; j < columns; ++j) {
    stripeGradSums<1>(float(), dy + j, x + j, rows, stride, mean + j, sumDy + j, sumDyd + j, sumd + j);
  }
}

void columnGradSums(const float* dy, const float* x, int64_t size, int64_t wide, const float* mean, double* sumDy,
                    double* sumDyd, double* sumd) {
  const int64_t rows = size / wide, tail = size % wide;
  for (int64_t row = 0; row < rows; row += BLOCK) {
    const int64_t at = row * wide;
    blockGradSums(dy + at, x + at, least(BLOCK, rows - row), wide, wide, mean, sumDy, sumDyd, sumd);
  }
  if (tail) blockGradSums(dy + rows * wide, x + rows * wide, 1, wide, tail, mean, sumDy, sumDyd, sumd);
}

void columnGradAffine(const float* dy, const float* dsum, const float* x, int64_t size, int64_t wide, const float* mean,
                      const float* w, const float* a, const float* b, float* dx) {
  inRows(size, wide, [&](int64_t at, int64_t width) INLINE {
    along(0, width, [&](auto kind, int64_t j, int) INLINE {
      const auto d = load(x + at + j, kind) - load(mean + j, kind);
      auto v = load(dy + at + j, kind) * load(w + j, kind) + (d * load(a + j, kind) + load(b + j, kind));
      if (dsum) v = v + load(dsum + at + j, kind);
      store(dx + at + j, v);
    });
  });
}

void add(const float* a, const float* b, int64_t size, float* sum) {
  along(0, size, [&](auto kind, int64_t i, int) INLINE { store(sum + i, load(a + i, kind) + load(b + i, kind)); });
}

}  // namespace
