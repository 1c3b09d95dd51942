// Runs the native operations, without Node and TensorFlow, over generated views in arrays that end where their values end, and compares
// each result with float64 arithmetic after the formulas of kernels/core/contract.ts. To be compiled with sanitizers.
//
//   driver SEED VIEWS INSTRUCTIONS
#include <pthread.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

#include "../../../kernels/node/native/normalize.h"

#if defined(__x86_64__)
extern const Kernels baselineKernels, avx2Kernels, avx512Kernels;
#else
extern const Kernels baselineKernels;
#endif

// In place of dispatch.cc: one instruction set for everything, so that rows shorter than a register come to it, too.
static const Kernels* chosen = &baselineKernels;
const Kernels& kernelsFor(int64_t) { return *chosen; }

static bool choose(const char* name) {
  if (!strcmp(name, "baseline")) return true;
#if defined(__x86_64__)
  if (!strcmp(name, "avx2") && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    chosen = &avx2Kernels;
    return true;
  }
  if (!strcmp(name, "avx512") && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw")) {
    chosen = &avx512Kernels;
    return true;
  }
#endif
  return false;
}

typedef std::vector<float> Values;
static std::mt19937 random_;

static int64_t below(int64_t limit) { return static_cast<int64_t>(random_() % static_cast<uint64_t>(limit)); }
static Values normals(int64_t count, float mean = 0, float deviation = 1) {
  std::normal_distribution<float> of(mean, deviation);
  Values values(static_cast<size_t>(count));
  for (float& value : values) value = of(random_);
  values.shrink_to_fit();
  return values;
}
static const float* orNull(const Values& values) { return values.empty() ? nullptr : values.data(); }

static double worst = 0;
static int failures = 0;

// Compares with what is expected, in units of the largest value there.
static void compare(const char* what, const Form& f, const Values& got, const std::vector<double>& expected, double limit) {
  double scale = 1e-30, error = 0;
  for (double value : expected) scale = std::fmax(scale, std::fabs(value));
  for (size_t i = 0; i < expected.size(); ++i) {
    const double difference = std::fabs(got[i] - expected[i]);
    error = std::isfinite(difference) ? std::fmax(error, difference / scale) : INFINITY;
  }
  worst = std::fmax(worst, error / limit);
  if (error <= limit) return;
  ++failures;
  printf("%s of [%lld, %lld, %lld] in %lld groups, placement %d: error %g\n", what, static_cast<long long>(f.n),
         static_cast<long long>(f.s), static_cast<long long>(f.c), static_cast<long long>(f.groups), f.placement, error);
}

// Calls body(group of all samples, index of x, index of gamma and beta).
template <class Body>
static void eachValue(const Form& f, const Body& body) {
  for (int64_t row = 0; row < f.n * f.s; ++row) {
    for (int64_t channel = 0; channel < f.c; ++channel) {
      body(static_cast<size_t>(row / f.s * f.groups + channel / (f.c / f.groups)), static_cast<size_t>(row * f.c + channel),
           static_cast<size_t>(row / f.rowsPerCondition * f.c + channel));
    }
  }
}

// The divisor and what follows from it, after the contract and not after form.h.
static double divisorOf(const Form& f, double v) {
  switch (f.placement) {
    case INSIDE: return std::sqrt(v + f.epsilon);
    case OUTSIDE: return std::sqrt(v) + f.epsilon;
    case FLOOR: return std::fmax(std::sqrt(v), f.epsilon);
    default: return 1;
  }
}
static double factorOf(const Form& f, double v) {
  if (f.placement == NO_DIVISION) return 0;
  if (f.placement == OUTSIDE) return v == 0 ? 0 : divisorOf(f, v) / std::sqrt(v);
  return 1;
}
static bool hasNoGradient(const Form& f, double v) { return f.placement == FLOOR && std::sqrt(v) <= f.epsilon; }

// Of equal values, whose mean is no float: nothing is divided by what rounding leaves.
static void checkEqualValues(const Form& f) {
  const size_t size = static_cast<size_t>(f.size());
  const Values x(size, normals(1, 0, 1000)[0]);
  Values y(size);
  if (!normalize({f, x.data(), nullptr, nullptr, nullptr, nullptr, y.data(), nullptr, nullptr})) abort();
  compare("y of equal values", f, y, std::vector<double>(size, 0.0), 0);
}

static void checkNormalize(const Form& f, const Values& given, bool withResidual) {
  const size_t size = given.size(), groups = static_cast<size_t>(f.n * f.groups);
  const int64_t parameters = f.conditions() * f.c;
  const Values residual = withResidual ? normals(f.size()) : Values();
  const Values gamma = below(3) ? normals(parameters, 1) : Values(), beta = below(3) ? normals(parameters) : Values();
  Values sum(withResidual ? size : 0), y(size), mean(groups), variance(groups);
  if (!normalize({f, given.data(), orNull(residual), orNull(gamma), orNull(beta), sum.data(), y.data(), mean.data(), variance.data()})) abort();
  Values x = given;
  if (withResidual) {
    for (size_t i = 0; i < size; ++i) x[i] += residual[i];
    compare("sum", f, sum, std::vector<double>(x.begin(), x.end()), 0);
  }

  const double count = static_cast<double>(f.s * (f.c / f.groups));
  std::vector<double> mu(groups), v(groups), yExpected(size), xHat(size);
  if (f.center) eachValue(f, [&](size_t g, size_t i, size_t) { mu[g] += x[i] / count; });
  eachValue(f, [&](size_t g, size_t i, size_t) { v[g] += (x[i] - mu[g]) * (x[i] - mu[g]) / count; });
  eachValue(f, [&](size_t g, size_t i, size_t parameter) {
    xHat[i] = (x[i] - mu[g]) / divisorOf(f, v[g]);
    yExpected[i] = xHat[i] * (gamma.empty() ? 1 : gamma[parameter]) + (beta.empty() ? 0 : beta[parameter]);
  });
  compare("y", f, y, yExpected, 2e-6);
  compare("mean", f, mean, mu, 1e-6);
  compare("variance", f, variance, v, 1e-6);
  Values alone(size), ofNobody;
  if (!normalize({f, given.data(), orNull(residual), orNull(gamma), orNull(beta), sum.data(), alone.data(), nullptr, nullptr})) abort();
  compare("y alone", f, alone, std::vector<double>(y.begin(), y.end()), 0);

  const Values dy = normals(f.size(), below(2) ? 3 : 0), dsum = withResidual ? normals(f.size()) : Values();
  const bool affine = below(2);
  Values dx(size), dgamma(static_cast<size_t>(parameters)), dbeta(dgamma.size());
  if (!normalizeGrad({f, dy.data(), orNull(dsum), x.data(), mean.data(), variance.data(), orNull(gamma), dx.data(), affine}, dgamma.data(), dbeta.data())) abort();
  std::vector<double> meanD(groups), meanDxHat(groups), dxExpected(size), dgammaExpected(dgamma.size()), dbetaExpected(dgamma.size());
  const auto D = [&](size_t i, size_t parameter) { return static_cast<double>(dy[i]) * (gamma.empty() ? 1 : gamma[parameter]); };
  eachValue(f, [&](size_t g, size_t i, size_t parameter) {
    if (f.center) meanD[g] += D(i, parameter) / count;
    meanDxHat[g] += D(i, parameter) * xHat[i] / count;
    dgammaExpected[parameter] += dy[i] * xHat[i];
    dbetaExpected[parameter] += dy[i];
  });
  eachValue(f, [&](size_t g, size_t i, size_t parameter) {
    const double r = hasNoGradient(f, v[g]) ? 0 : 1 / divisorOf(f, v[g]);
    dxExpected[i] = (D(i, parameter) - meanD[g] - factorOf(f, v[g]) * xHat[i] * meanDxHat[g]) * r + (withResidual ? dsum[i] : 0);
  });
  // Where little is left of a sum, its rounding shows: so the size of the parts counts.
  double largest = 0, ofTerms = 0;
  for (size_t g = 0; g < groups; ++g) largest = std::fmax(largest, 8 / divisorOf(f, v[g]));
  for (double value : dxExpected) ofTerms = std::fmax(ofTerms, std::fabs(value));
  compare("dx", f, dx, dxExpected, 3e-6 * (1 + largest / std::fmax(ofTerms, 1e-30)));
  if (!affine) return;
  dgammaExpected.push_back(4 * std::sqrt(static_cast<double>(f.rowsPerCondition)));
  dgamma.push_back(static_cast<float>(dgammaExpected.back()));
  compare("dgamma", f, dgamma, dgammaExpected, 1e-5);
  dbetaExpected.push_back(4 * std::sqrt(static_cast<double>(f.rowsPerCondition)));
  dbeta.push_back(static_cast<float>(dbetaExpected.back()));
  compare("dbeta", f, dbeta, dbetaExpected, 2e-6);
}

static void checkBlend(const Form& given, const Values& x) {
  Form f = given;
  f.rowsPerCondition = f.n * f.s;
  const size_t size = x.size(), nc = static_cast<size_t>(f.n * f.c);
  const auto parameter = [&] { return below(4) ? normals(f.n * f.c) : Values(); };
  const Values mean = parameter(), scale = parameter(), shift = parameter();
  Values variance = parameter();
  for (float& value : variance) value = value * value;
  Values y(size);
  if (!scaleShift(f, x.data(), orNull(mean), orNull(variance), orNull(scale), orNull(shift), y.data())) abort();
  std::vector<double> expected(size);
  const auto at = [](const Values& values, size_t i, double absent) { return values.empty() ? absent : values[i]; };
  // Calls body(index of x, index of a parameter).
  const auto each = [&](const auto& body) {
    eachValue(f, [&](size_t, size_t i, size_t channel) { body(i, i / static_cast<size_t>(f.s * f.c) * static_cast<size_t>(f.c) + channel); });
  };
  each([&](size_t i, size_t j) {
    const double r = variance.empty() ? 1 : 1 / divisorOf(f, variance[j]);
    expected[i] = (x[i] - at(mean, j, 0)) * r * at(scale, j, 1) + at(shift, j, 0);
  });
  compare("scaleShift", f, y, expected, 1e-6);

  const Values dy = normals(f.size()), around = normals(f.n * f.c), a = normals(f.n * f.c), b = normals(f.n * f.c), w = normals(f.n * f.c);
  Values dscale(nc), dshift(nc), dx(size);
  if (!scaleShiftGrad(f, dy.data(), x.data(), around.data(), dscale.data(), dshift.data())) abort();
  std::vector<double> dscaleExpected(nc), dshiftExpected(nc);
  each([&](size_t i, size_t j) {
    dscaleExpected[j] += dy[i] * (static_cast<double>(x[i]) - around[j]);
    dshiftExpected[j] += dy[i];
    expected[i] = static_cast<double>(dy[i]) * w[j] + (static_cast<double>(x[i]) - around[j]) * a[j] + b[j];
  });
  compare("dscale", f, dscale, dscaleExpected, 4e-6);
  compare("dshift", f, dshift, dshiftExpected, 4e-6);
  if (!blendGrad(f, dy.data(), x.data(), around.data(), w.data(), a.data(), b.data(), dx.data())) abort();
  compare("blendGrad", f, dx, expected, 1e-6);
}

static Form generated() {
  Form f = {};
  const int kind = static_cast<int>(below(8));
  f.groups = 1 + below(below(2) ? 4 : 20);
  f.c = f.groups * (1 + below(kind == 0 ? 400 : 40));
  f.n = 1 + below(kind == 1 ? 300 : 5);
  f.s = below(3) == 0 ? 1 : 1 + below(kind == 2 ? 3000 : 70);
  if (below(3) == 0) f.groups = f.c;
  f.center = below(3) > 0;
  f.placement = static_cast<Placement>(below(4));
  f.epsilon = f.placement == FLOOR ? 0.9 : 0.01;
  f.rowsPerCondition = f.n * f.s;
  if (below(2)) return f;
  // A part of a sample or several samples have a condition of their own.
  const bool isOfSamples = below(2);
  const int64_t things = isOfSamples ? f.n : f.s, unit = isOfSamples ? f.s : 1;
  int64_t count = 1 + below(things);
  while (things % count != 0) --count;
  f.rowsPerCondition = count * unit;
  return f;
}

static void* work(void* views) {
  for (int64_t i = 0; i < *static_cast<int64_t*>(views); ++i) {
    const Form f = {4, 1, 40000, 1, 0.01, INSIDE, true, 4};
    Values x(static_cast<size_t>(f.size()), 1.5f), y(x.size());
    normalize({f, x.data(), nullptr, nullptr, nullptr, nullptr, y.data(), nullptr, nullptr});
    for (float value : y) {
      if (value != 0) abort();
    }
  }
  return nullptr;
}

int main(int count, char** arguments) {
  if (count != 4) return 2;
  if (!choose(arguments[3])) {
    printf("this processor has no %s\n", arguments[3]);
    return 0;
  }
  random_.seed(static_cast<unsigned>(atoi(arguments[1])));
  int64_t views = atoi(arguments[2]);
  for (int64_t i = 0; i < views; ++i) {
    const Form f = generated();
    constexpr float MEANS[] = {0, 100, 100000};
    checkNormalize(f, normals(f.size(), MEANS[below(3)]), below(3) == 0);
    checkBlend(f, normals(f.size()));
  }
  for (int64_t i = 1; i <= 30; ++i) {
    checkEqualValues({2, 33 * i, 6, 2, 0, INSIDE, true, 66 * i});
    checkEqualValues({1, 301 * i, 3, 3, 0, INSIDE, true, 301 * i});
    checkEqualValues({4, 1, 101 * i, 1, 0, INSIDE, true, 4});
  }
  // As many large tensors at a time as worker threads of Node may bring.
  pthread_t threads[3];
  int64_t calls = 20;
  for (pthread_t& thread : threads) pthread_create(&thread, nullptr, work, &calls);
  for (pthread_t& thread : threads) pthread_join(thread, nullptr);
  printf("%lld views, worst error %.2f of its limit, %d failures\n", static_cast<long long>(views), worst, failures);
  return failures > 0;
}
