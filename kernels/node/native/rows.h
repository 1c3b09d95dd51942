// Normalization of rows: statistics over contiguous values, gamma and beta along them (views with s = 1).
//
// Statistics take corrected two passes: the float32 mean is only a pivot; the second pass sums the deviations d from it and their
// squares, so that mean = pivot + delta and variance = sum(d^2) / size - delta^2 with delta = sum(d) / size. Each pass runs over a
// few rows before the next pass begins, so that the scalar arithmetic in between is done for several rows at once.
#pragma once
#include "kernels.h"
#include "lanes.h"

namespace {

// The values of a row that float32 lanes add up before their sum moves on to float64.
constexpr int64_t CHUNK = 1024;
// The values of rows that are worked on together, which stay in the first-level cache between two passes; and the most rows.
constexpr int64_t TOGETHER = 4096;
constexpr int64_t MOST_ROWS = 32;
// The rows whose dy xHat and dy are added up in float32 before their sums move on to float64.
constexpr int64_t FLUSH = 64;

inline int64_t rowsTogether(int64_t values) {
  const int64_t rows = TOGETHER / values;
  return rows < 1 ? 1 : least(rows, MOST_ROWS);
}

// Calls body(from, to) for each chunk of a row.
template <class Body>
INLINE inline void inChunks(int64_t size, Body body) {
  for (int64_t from = 0; from < size; from += CHUNK) body(from, least(from + CHUNK, size));
}

double sumOfRow(const float* x, int64_t size) {
  double total = 0;
  inChunks(size, [&](int64_t from, int64_t to) INLINE {
    Sum sum;
    along(from, to, [&](auto kind, int64_t i, int k) INLINE { sum.add(load(x + i, kind), k); });
    total += sum.total();
  });
  return total;
}

// Writes sum = x + residual, and returns the sum of its values.
double addRow(const float* x, const float* residual, float* sumTo, int64_t size) {
  double total = 0;
  inChunks(size, [&](int64_t from, int64_t to) INLINE {
    Sum sum;
    along(from, to, [&](auto kind, int64_t i, int k) INLINE {
      const auto v = load(x + i, kind) + load(residual + i, kind);
      store(sumTo + i, v);
      sum.add(v, k);
    });
    total += sum.total();
  });
  return total;
}

struct Deviations {
  double sum, squares;
};

Deviations deviationsOfRow(const float* x, int64_t size, float pivot) {
  Deviations all = {0, 0};
  inChunks(size, [&](int64_t from, int64_t to) INLINE {
    Sum sum, squares;
    along(from, to, [&](auto kind, int64_t i, int k) INLINE {
      const auto d = load(x + i, kind) - pivot;
      sum.add(d, k);
      squares.add(d * d, k);
    });
    all.sum += sum.total();
    all.squares += squares.total();
  });
  return all;
}

// xHat = (x - pivot) * scale + shift
struct Standard {
  float pivot, scale, shift;
};

// y = xHat * gamma + beta
void applyRow(const float* x, int64_t size, const Standard& of, const float* gamma, const float* beta, float* y) {
  if (gamma && beta) {
    along(0, size, [&](auto kind, int64_t i, int) INLINE {
      const auto xHat = (load(x + i, kind) - of.pivot) * of.scale + of.shift;
      store(y + i, xHat * load(gamma + i, kind) + load(beta + i, kind));
    });
    return;
  }
  along(0, size, [&](auto kind, int64_t i, int) INLINE {
    auto v = (load(x + i, kind) - of.pivot) * of.scale + of.shift;
    if (gamma) v = v * load(gamma + i, kind);
    if (beta) v = v + load(beta + i, kind);
    store(y + i, v);
  });
}

void rowsForward(const RowsForward& all, int64_t first, int64_t last) {
  const Form& form = all.form;
  const int64_t size = form.groupWidth(), groups = form.groups, together = rowsTogether(size);
  Standard standards[MOST_ROWS];
  for (int64_t from = first; from < last; from += together) {
    const int64_t count = least(together, last - from);
    const float* x = all.x + from * size;
    if (all.residual) {
      float* sum = all.sum + from * size;
      for (int64_t i = 0; i < count; ++i) {
        const double total = addRow(x + i * size, all.residual + (from + i) * size, sum + i * size, size);
        standards[i].pivot = static_cast<float>(total / static_cast<double>(size));
      }
      x = sum;
    } else if (form.center) {
      for (int64_t i = 0; i < count; ++i) {
        standards[i].pivot = static_cast<float>(sumOfRow(x + i * size, size) / static_cast<double>(size));
      }
    }
    for (int64_t i = 0; i < count; ++i) {
      const float pivot = form.center ? standards[i].pivot : 0;
      const Deviations d = deviationsOfRow(x + i * size, size, pivot);
      const double delta = form.center ? d.sum / static_cast<double>(size) : 0;
      double v = d.squares / static_cast<double>(size) - delta * delta;
      if (v <= delta * delta * ROUNDING) v = 0;  // also if rounding has made it negative
      const double r = form.reciprocal(v);
      standards[i] = {pivot, static_cast<float>(r), static_cast<float>(-delta * r)};
      if (all.mean) {
        all.mean[from + i] = static_cast<float>(pivot + delta);
        all.variance[from + i] = static_cast<float>(v);
      }
    }
    if (!all.y) continue;
    for (int64_t i = 0; i < count; ++i) {
      const int64_t channel = (from + i) % groups * size;
      applyRow(x + i * size, size, standards[i], all.gamma ? all.gamma + channel : nullptr,
               all.beta ? all.beta + channel : nullptr, all.y + (from + i) * size);
    }
  }
}

// With r = 1 / f, delta the rounding error of the mean in float32, and D = gamma dy:
//
//   scale = r, shift = -delta r                                   xHat = (x - mean) scale + shift
//   w = r, a = -k mean(D xHat) r^2, b = -mean(D) r - delta a      dx = D w + (x - mean) a + b
//
// w, a and b are 0 where dx is.
struct RowGradient {
  float mean, scale, shift, w, a, b;
};

RowGradient gradientOfRow(const Form& form, const float* dy, const float* x, const float* gamma, int64_t size, float mean,
                          double v) {
  double sumD = 0, sumDd = 0, sumd = 0;
  inChunks(size, [&](int64_t from, int64_t to) INLINE {
    Sum sD, sDd, sd;
    along(from, to, [&](auto kind, int64_t i, int k) INLINE {
      const auto d = load(x + i, kind) - mean;
      auto D = load(dy + i, kind);
      if (gamma) D = D * load(gamma + i, kind);
      sD.add(D, k);
      sd.add(d, k);
      sDd.add(D * d, k);
    });
    sumD += sD.total();
    sumDd += sDd.total();
    sumd += sd.total();
  });
  const double count = static_cast<double>(size), r = form.reciprocal(v);
  const double delta = form.center ? sumd / count : 0, meanD = form.center ? sumD / count : 0;
  const double meanDxHat = (sumDd - delta * sumD) * r / count;
  const double w = form.isFlat(v) ? 0 : r, a = -form.curvature(v) * meanDxHat * r * w;
  return {mean,
          static_cast<float>(r),
          static_cast<float>(-delta * r),
          static_cast<float>(w),
          static_cast<float>(a),
          static_cast<float>(-meanD * w - delta * a)};
}

template <bool WITH_DSUM, bool AFFINE>
INLINE inline void gradApplyRow(const RowGradient& of, const float* dy, const float* dsum, const float* x, const float* gamma,
                                int64_t size, float* dx, float* dgamma, float* dbeta) {
  along(0, size, [&](auto kind, int64_t i, int) INLINE {
    const auto g = load(dy + i, kind), d = load(x + i, kind) - of.mean;
    if (AFFINE) {
      store(dgamma + i, load(dgamma + i, kind) + g * (d * of.scale + of.shift));
      store(dbeta + i, load(dbeta + i, kind) + g);
    }
    const auto D = gamma ? g * load(gamma + i, kind) : g;
    auto v = D * of.w + (d * of.a + of.b);
    if (WITH_DSUM) v = v + load(dsum + i, kind);
    store(dx + i, v);
  });
}

void gradApply(bool affine, const RowGradient& of, const float* dy, const float* dsum, const float* x, const float* gamma,
               int64_t size, float* dx, float* dgamma, float* dbeta) {
  if (affine) {
    if (dsum) gradApplyRow<true, true>(of, dy, dsum, x, gamma, size, dx, dgamma, dbeta);
    else gradApplyRow<false, true>(of, dy, dsum, x, gamma, size, dx, dgamma, dbeta);
  } else {
    if (dsum) gradApplyRow<true, false>(of, dy, dsum, x, gamma, size, dx, dgamma, dbeta);
    else gradApplyRow<false, false>(of, dy, dsum, x, gamma, size, dx, dgamma, dbeta);
  }
}

// Moves sums from float32 to float64.
void flush(float* partial, double* totals, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    totals[i] += partial[i];
    partial[i] = 0;
  }
}

void rowsBackward(const RowsBackward& all, int64_t first, int64_t last, double* dgamma, double* dbeta, float* partial) {
  const Form& form = all.form;
  const int64_t size = form.groupWidth(), groups = form.groups, c = form.c, together = rowsTogether(2 * size);
  RowGradient gradients[MOST_ROWS];
  float* partialBeta = partial + c;
  int64_t pending = 0;
  if (all.affine) {
    for (int64_t i = 0; i < 2 * c; ++i) partial[i] = 0;
  }
  for (int64_t from = first; from < last; from += together) {
    const int64_t count = least(together, last - from);
    for (int64_t i = 0; i < count; ++i) {
      const int64_t row = from + i;
      const float* gamma = all.gamma ? all.gamma + row % groups * size : nullptr;
      gradients[i] =
          gradientOfRow(form, all.dy + row * size, all.x + row * size, gamma, size, all.mean[row], all.variance[row]);
    }
    for (int64_t i = 0; i < count; ++i) {
      const int64_t row = from + i, channel = row % groups * size;
      gradApply(all.affine, gradients[i], all.dy + row * size, all.dsum ? all.dsum + row * size : nullptr, all.x + row * size,
                all.gamma ? all.gamma + channel : nullptr, size, all.dx + row * size, partial + channel, partialBeta + channel);
    }
    pending += count;
    if (!all.affine || pending < FLUSH * groups) continue;
    flush(partial, dgamma, c);
    flush(partialBeta, dbeta, c);
    pending = 0;
  }
  if (!all.affine) return;
  flush(partial, dgamma, c);
  flush(partialBeta, dbeta, c);
}

}  // namespace
