#include "normalize.h"

#include "plan.h"
#include "pool.h"
#include "room.h"

namespace {

void fill(double* values, int64_t count) {
  for (int64_t i = 0; i < count; ++i) values[i] = 0;
}

// Adds up the first `count` sums of each run; `sums` are [runs][stride].
void sumUp(const double* sums, int64_t runs, int64_t stride, int64_t count, float* totals) {
  for (int64_t i = 0; i < count; ++i) {
    double total = 0;
    for (int64_t run = 0; run < runs; ++run) total += sums[run * stride + i];
    totals[i] = static_cast<float>(total);
  }
}

// dgamma and dbeta from the sums of each that the runs have made, `count` values: `runsOfCondition` runs in a row have the same conditions.
void sumUpConditions(const Room& room, int64_t runs, int64_t runsOfCondition, int64_t stride, int64_t count, float* dgamma,
                     float* dbeta) {
  for (int64_t run = 0, to = 0; run < runs; run += runsOfCondition, to += count) {
    sumUp(room.at(run * stride), runsOfCondition, stride, count, dgamma + to);
    sumUp(room.at(run * stride + count), runsOfCondition, stride, count, dbeta + to);
  }
}

// How samples [s, c] are shared out to tasks: a task has several small samples, or one part of a large one. All samples of a task have the
// same conditions, and all rows of a part have one condition.
struct Columns {
  const Form& form;
  const int64_t size, conditions, sizeOfCondition, wide;
  const Runs samples, partsOfCondition;
  const int64_t runs, parts;
  const Kernels& kernels;

  explicit Columns(const Form& form)
      : form(form),
        size(form.sampleSize()),
        conditions(form.conditionsPerSample()),
        sizeOfCondition(size / conditions),
        wide(wideOf(form.s / conditions, form.c)),
        samples(isLarge() ? Runs{sharing(), sharing()} : Runs(sharing(), size, ratioUp(LEAST_ROWS, form.s))),
        partsOfCondition(isLarge() ? Runs(rows(), wide, LEAST_ROWS_OF_PART) : Runs{rows(), rows()}),
        runs(form.n / sharing() * samples.count),
        parts(conditions * partsOfCondition.count),
        kernels(kernelsFor(wide)) {}

  // Which condition of the sample a part has.
  int64_t conditionOf(int64_t part) const { return part / partsOfCondition.count; }
  int64_t from(int64_t part) const {
    return conditionOf(part) * sizeOfCondition + partsOfCondition.first(part % partsOfCondition.count) * wide;
  }
  int64_t sizeOf(int64_t part) const {
    return least((conditionOf(part) + 1) * sizeOfCondition, from(part) + partsOfCondition.length * wide) - from(part);
  }
  // The first condition of a run, of all that there are.
  int64_t firstCondition(int64_t run) const { return run / samples.count * conditions; }

  // Calls task(i, run) for each sample.
  template <class Task>
  void eachSample(const Task& task) const {
    const auto inRun = [&](int64_t run) {
      const int64_t first = run / samples.count * sharing();
      for (int64_t i = samples.first(run % samples.count); i < samples.last(run % samples.count); ++i) task(first + i, run);
    };
    if (!isLarge()) return inParallel(runs, inRun);
    for (int64_t run = 0; run < runs; ++run) inRun(run);
  }

  // Calls body(column, channel) for all columns that belong to a group.
  template <class Body>
  void eachColumnOf(int64_t group, const Body& body) const {
    const int64_t width = form.groupWidth(), first = group * width;
    for (int64_t copy = 0; copy < wide; copy += form.c) {
      for (int64_t channel = first; channel < first + width; ++channel) body(copy + channel, channel);
    }
  }

 private:
  static constexpr int64_t LEAST_ROWS = 8, LEAST_ROWS_OF_PART = 64;
  bool isLarge() const { return size > 2 * TASK; }
  int64_t rows() const { return ratioUp(sizeOfCondition, wide); }
  // How many consecutive samples have the same conditions.
  int64_t sharing() const { return form.samplesPerCondition(); }
};

// From the moments of the columns of a sample's parts: its mean and variance per group, and the coefficients of `columnAffine`, with
// r = 1 / f and delta the rounding error of the mean in float32:
//
//   pivot = mean, scale = gamma r, shift = beta - delta gamma r      y = (x - pivot) scale + shift
//
// `moments` are [parts][2][wide]; mean and variance [groups]; gamma and beta [conditions][c]; the coefficients [conditions][3][wide].
void forwardCoefficients(const Columns& columns, const double* moments, const float* gamma, const float* beta, float* mean,
                         float* variance, const Floats& coefficients) {
  const Form& form = columns.form;
  const int64_t wide = columns.wide;
  const double count = static_cast<double>(form.s) * static_cast<double>(form.groupWidth());
  for (int64_t group = 0; group < form.groups; ++group) {
    double mu = 0, v = 0;
    // Calls add(rows, mean, M2) for each column of each part.
    const auto eachMoment = [&](const auto& add) {
      for (int64_t part = 0; part < columns.parts; ++part) {
        const double* means = moments + part * 2 * wide;
        const int64_t rows = columns.sizeOf(part) / wide, tail = columns.sizeOf(part) % wide;
        columns.eachColumnOf(group, [&](int64_t j, int64_t) { add(static_cast<double>(rows + (j < tail)), means[j], means[wide + j]); });
      }
    };
    if (form.center) {
      eachMoment([&](double rows, double columnMean, double) { mu += rows * columnMean; });
      mu /= count;
    }
    eachMoment([&](double rows, double columnMean, double m2) { v += m2 + rows * (columnMean - mu) * (columnMean - mu); });
    v /= count;
    if (v <= mu * mu * MERGED) v = 0;
    const float pivot = static_cast<float>(mu);
    const double delta = mu - static_cast<double>(pivot), r = form.reciprocal(v);
    if (mean) {
      mean[group] = pivot;
      variance[group] = static_cast<float>(v);
    }
    for (int64_t condition = 0; condition < columns.conditions; ++condition) {
      const int64_t parameters = condition * form.c, first = condition * 3;
      columns.eachColumnOf(group, [&](int64_t j, int64_t channel) {
        const double scale = gamma ? gamma[parameters + channel] * r : r;
        coefficients[first][j] = pivot;
        coefficients[first + 1][j] = static_cast<float>(scale);
        coefficients[first + 2][j] = static_cast<float>((beta ? beta[parameters + channel] : 0) - delta * scale);
      });
    }
  }
}

bool normalizeColumns(const RowsForward& all, const float* x) {
  const Form& form = all.form;
  const Columns columns(form);
  const int64_t wide = columns.wide, sums = columns.parts * 2 * wide, need = sums + Floats::sizeOf(3 * columns.conditions, wide);
  const Room room(columns.runs * need);
  if (!room) return false;
  columns.eachSample([&](int64_t i, int64_t run) {
    double* const moments = room.at(run * need);
    const Floats coefficients(moments + sums, wide);
    const float* const from = x + i * columns.size;
    inParallel(columns.parts, [&](int64_t part) {
      double* const mean = moments + part * 2 * wide;
      columns.kernels.columnMoments(from + columns.from(part), columns.sizeOf(part), wide, mean, mean + wide);
    });
    float* const mean = all.mean ? all.mean + i * form.groups : nullptr;
    float* const variance = all.mean ? all.variance + i * form.groups : nullptr;
    const int64_t parameters = columns.firstCondition(run) * form.c;
    const float* const gamma = all.gamma ? all.gamma + parameters : nullptr;
    const float* const beta = all.beta ? all.beta + parameters : nullptr;
    forwardCoefficients(columns, moments, gamma, beta, mean, variance, coefficients);
    if (!all.y) return;
    float* const y = all.y + i * columns.size;
    inParallel(columns.parts, [&](int64_t part) {
      const int64_t first = columns.conditionOf(part) * 3;
      columns.kernels.columnAffine(from + columns.from(part), columns.sizeOf(part), wide, coefficients[first],
                                   coefficients[first + 1], coefficients[first + 2], y + columns.from(part));
    });
  });
  return true;
}

// From the sums of the columns of a sample's parts, [parts][3][wide]: dgamma and dbeta [conditions][c], added up if they are wanted, and
// the coefficients of `columnGradAffine`, [conditions][3][wide], with r = 1 / f, delta the rounding error of the mean in float32, and means
// over the group:
//
//   w = gamma r, a = -k mean(D xHat) r^2, b = -mean(D) r - delta a      dx = dy w + (x - mean) a + b
//
// or all 0 where dx is.
void backwardCoefficients(const Columns& columns, const double* sums, const float* gammas, const float* variance, double* dgamma,
                          double* dbeta, const Floats& coefficients) {
  const Form& form = columns.form;
  const int64_t wide = columns.wide;
  const double count = static_cast<double>(form.s) * static_cast<double>(form.groupWidth());
  for (int64_t group = 0; group < form.groups; ++group) {
    const double v = variance[group], r = form.reciprocal(v);
    double delta = 0, meanD = 0, meanDxHat = 0;
    if (form.center) {
      for (int64_t part = 0; part < columns.parts; ++part) {
        const double* sumd = sums + (part * 3 + 2) * wide;
        columns.eachColumnOf(group, [&](int64_t j, int64_t) { delta += sumd[j]; });
      }
      delta /= count;
    }
    for (int64_t part = 0; part < columns.parts; ++part) {
      const double *sumDy = sums + part * 3 * wide, *sumDyd = sumDy + wide;
      const int64_t parameters = columns.conditionOf(part) * form.c;
      columns.eachColumnOf(group, [&](int64_t j, int64_t channel) {
        const int64_t parameter = parameters + channel;
        const double gamma = gammas ? gammas[parameter] : 1, sumDyXHat = (sumDyd[j] - delta * sumDy[j]) * r;
        meanD += gamma * sumDy[j];
        meanDxHat += gamma * sumDyXHat;
        if (!dgamma) return;
        dgamma[parameter] += sumDyXHat;
        dbeta[parameter] += sumDy[j];
      });
    }
    meanD = form.center ? meanD / count : 0;
    meanDxHat /= count;
    const double w = form.isFlat(v) ? 0 : r, a = -form.curvature(v) * meanDxHat * r * w, b = -meanD * w - delta * a;
    for (int64_t condition = 0; condition < columns.conditions; ++condition) {
      const int64_t parameters = condition * form.c, first = condition * 3;
      columns.eachColumnOf(group, [&](int64_t j, int64_t channel) {
        coefficients[first][j] = static_cast<float>(gammas ? gammas[parameters + channel] * w : w);
        coefficients[first + 1][j] = static_cast<float>(a);
        coefficients[first + 2][j] = static_cast<float>(b);
      });
    }
  }
}

bool normalizeGradColumns(const RowsBackward& all, float* dgamma, float* dbeta) {
  const Form& form = all.form;
  const Columns columns(form);
  const int64_t wide = columns.wide, ofConditions = columns.conditions * form.c, totals = all.affine ? 2 * ofConditions : 0;
  const int64_t sums = columns.parts * 3 * wide, means = totals + sums, applied = means + Floats::sizeOf(1, wide);
  const int64_t need = applied + Floats::sizeOf(3 * columns.conditions, wide);
  const Room room(columns.runs * need);
  if (!room) return false;
  for (int64_t run = 0; run < columns.runs; ++run) fill(room.at(run * need), totals);
  columns.eachSample([&](int64_t i, int64_t run) {
    double *const ofRun = room.at(run * need), *const ofColumns = ofRun + totals;
    const Floats mean(ofRun + means, wide), coefficients(ofRun + applied, wide);
    for (int64_t group = 0; group < form.groups; ++group) {
      const float ofGroup = all.mean[i * form.groups + group];
      columns.eachColumnOf(group, [&](int64_t j, int64_t) { mean[0][j] = ofGroup; });
    }
    const float *const x = all.x + i * columns.size, *const dy = all.dy + i * columns.size;
    inParallel(columns.parts, [&](int64_t part) {
      const int64_t from = columns.from(part);
      double* const sumDy = ofColumns + part * 3 * wide;
      fill(sumDy, 3 * wide);
      columns.kernels.columnGradSums(dy + from, x + from, columns.sizeOf(part), wide, mean[0], sumDy, sumDy + wide,
                                     sumDy + 2 * wide);
    });
    const float* const gamma = all.gamma ? all.gamma + columns.firstCondition(run) * form.c : nullptr;
    double* const ofParameters = all.affine ? ofRun : nullptr;
    backwardCoefficients(columns, ofColumns, gamma, all.variance + i * form.groups, ofParameters, ofRun + ofConditions, coefficients);
    const float* const dsum = all.dsum ? all.dsum + i * columns.size : nullptr;
    float* const dx = all.dx + i * columns.size;
    inParallel(columns.parts, [&](int64_t part) {
      const int64_t from = columns.from(part), first = columns.conditionOf(part) * 3;
      columns.kernels.columnGradAffine(dy + from, dsum ? dsum + from : nullptr, x + from, columns.sizeOf(part), wide, mean[0],
                                       coefficients[first], coefficients[first + 1], coefficients[first + 2], dx + from);
    });
  });
  if (all.affine) sumUpConditions(room, columns.runs, columns.samples.count, need, ofConditions, dgamma, dbeta);
  return true;
}

constexpr int64_t LEAST_ROWS_OF_RUN = 8;

// How rows are shared out: those of each condition in runs.
struct RowsByCondition {
  const Runs ofCondition;
  const int64_t runs;

  RowsByCondition(const Form& form, int64_t leastRows)
      : ofCondition(form.rowsPerCondition * form.groups, form.groupWidth(), leastRows), runs(form.conditions() * ofCondition.count) {}
  int64_t condition(int64_t run) const { return run / ofCondition.count; }
  int64_t first(int64_t run) const { return condition(run) * ofCondition.items + ofCondition.first(run % ofCondition.count); }
  int64_t last(int64_t run) const { return condition(run) * ofCondition.items + ofCondition.last(run % ofCondition.count); }
};

bool normalizeGradRows(const RowsBackward& all, float* dgamma, float* dbeta) {
  const Form& form = all.form;
  const int64_t c = form.c;
  const RowsByCondition rows(form, LEAST_ROWS_OF_RUN * form.groups);
  const int64_t need = all.affine ? 2 * c + Floats::sizeOf(2, c) : 0;
  const Room room(rows.runs * need);
  if (!room) return false;
  const Kernels& kernels = kernelsFor(form.groupWidth());
  inParallel(rows.runs, [&](int64_t run) {
    double* const totals = room.at(run * need);
    if (all.affine) fill(totals, 2 * c);
    RowsBackward ofRun = all;
    if (ofRun.gamma) ofRun.gamma += rows.condition(run) * c;
    kernels.rowsBackward(ofRun, rows.first(run), rows.last(run), totals, totals + c, reinterpret_cast<float*>(totals + 2 * c));
  });
  if (all.affine) sumUpConditions(room, rows.runs, rows.ofCondition.count, need, c, dgamma, dbeta);
  return true;
}

// If samples have one row each, all of them as one sample with n * c channels.
Form asOneSample(const Form& form) {
  Form flat = form;
  if (form.s == 1) {
    flat.n = 1;
    flat.c = flat.groups = form.n * form.c;
    flat.rowsPerCondition = 1;
  }
  return flat;
}

// Calls body(j, channel of all samples) for each column of sample i.
template <class Body>
void eachColumn(const Columns& columns, int64_t i, const Body& body) {
  const int64_t c = columns.form.c;
  for (int64_t copy = 0; copy < columns.wide; copy += c) {
    for (int64_t channel = 0; channel < c; ++channel) body(copy + channel, i * c + channel);
  }
}

// Calls set(coefficients, column, channel of all samples) for all columns of each sample, and then apply(kernels, index of the first value,
// number of values, columns, coefficients) for each of its parts.
template <int COUNT, class Set, class Apply>
bool transformColumns(const Form& given, const Set& set, const Apply& apply) {
  const Form form = asOneSample(given);
  const Columns columns(form);
  const int64_t wide = columns.wide, need = Floats::sizeOf(COUNT, wide);
  const Room room(columns.runs * need);
  if (!room) return false;
  columns.eachSample([&](int64_t i, int64_t run) {
    const Floats coefficients(room.at(run * need), wide);
    eachColumn(columns, i, [&](int64_t j, int64_t channel) { set(coefficients, j, channel); });
    inParallel(columns.parts, [&](int64_t part) {
      apply(columns.kernels, i * columns.size + columns.from(part), columns.sizeOf(part), wide, coefficients);
    });
  });
  return true;
}

}  // namespace

bool normalize(const RowsForward& all) {
  const Form& form = all.form;
  if (form.s == 1) {
    const RowsByCondition rows(form, LEAST_ROWS_OF_RUN);
    const Kernels& kernels = kernelsFor(form.groupWidth());
    inParallel(rows.runs, [&](int64_t run) {
      RowsForward ofRun = all;
      const int64_t parameters = rows.condition(run) * form.c;
      if (ofRun.gamma) ofRun.gamma += parameters;
      if (ofRun.beta) ofRun.beta += parameters;
      kernels.rowsForward(ofRun, rows.first(run), rows.last(run));
    });
    return true;
  }
  if (!all.residual) return normalizeColumns(all, all.x);
  const Runs runs(form.size(), 1, 1);
  const Kernels& kernels = kernelsFor(form.size());
  inParallel(runs.count, [&](int64_t run) {
    const int64_t from = runs.first(run);
    kernels.add(all.x + from, all.residual + from, runs.last(run) - from, all.sum + from);
  });
  return normalizeColumns(all, all.sum);
}

bool normalizeGrad(const RowsBackward& all, float* dgamma, float* dbeta) {
  return all.form.s == 1 ? normalizeGradRows(all, dgamma, dbeta) : normalizeGradColumns(all, dgamma, dbeta);
}

bool scaleShift(const Form& form, const float* x, const float* mean, const float* variance, const float* scale,
                const float* shift, float* y) {
  return transformColumns<3>(
      form,
      [&](const Floats& to, int64_t j, int64_t channel) {
        const double r = variance ? form.reciprocal(variance[channel]) : 1;
        to[0][j] = mean ? mean[channel] : 0;
        to[1][j] = static_cast<float>(scale ? scale[channel] * r : r);
        to[2][j] = shift ? shift[channel] : 0;
      },
      [&](const Kernels& kernels, int64_t at, int64_t size, int64_t wide, const Floats& k) {
        kernels.columnAffine(x + at, size, wide, k[0], k[1], k[2], y + at);
      });
}

bool scaleShiftGrad(const Form& given, const float* dy, const float* x, const float* mean, float* dscale, float* dshift) {
  const Form form = asOneSample(given);
  const Columns columns(form);
  const int64_t wide = columns.wide, c = form.c, sums = columns.parts * 3 * wide;
  const int64_t need = 2 * c + sums + Floats::sizeOf(1, wide);
  const Room room(columns.runs * need);
  if (!room) return false;
  columns.eachSample([&](int64_t i, int64_t run) {
    double *const totals = room.at(run * need), *const ofColumns = totals + 2 * c;
    const Floats means(ofColumns + sums, wide);
    eachColumn(columns, i, [&](int64_t j, int64_t channel) { means[0][j] = mean[channel]; });
    inParallel(columns.parts, [&](int64_t part) {
      const int64_t from = i * columns.size + columns.from(part);
      double* const sumDy = ofColumns + part * 3 * wide;
      fill(sumDy, 3 * wide);
      columns.kernels.columnGradSums(dy + from, x + from, columns.sizeOf(part), wide, means[0], sumDy, sumDy + wide,
                                     sumDy + 2 * wide);
    });
    fill(totals, 2 * c);
    for (int64_t part = 0; part < columns.parts; ++part) {
      const double* const sumDy = ofColumns + part * 3 * wide;
      for (int64_t j = 0; j < wide; ++j) {
        totals[j % c] += sumDy[wide + j];
        totals[c + j % c] += sumDy[j];
      }
    }
    sumUp(totals, 1, 0, c, dscale + i * c);
    sumUp(totals + c, 1, 0, c, dshift + i * c);
  });
  return true;
}

bool blendGrad(const Form& form, const float* dy, const float* x, const float* mean, const float* scale, const float* a,
               const float* b, float* dx) {
  return transformColumns<4>(
      form,
      [&](const Floats& to, int64_t j, int64_t channel) {
        to[0][j] = mean[channel];
        to[1][j] = scale[channel];
        to[2][j] = a[channel];
        to[3][j] = b[channel];
      },
      [&](const Kernels& kernels, int64_t at, int64_t size, int64_t wide, const Floats& k) {
        kernels.columnGradAffine(dy + at, nullptr, x + at, size, wide, k[0], k[1], k[2], k[3], dx + at);
      });
}
