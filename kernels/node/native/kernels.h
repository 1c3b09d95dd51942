// The loops over values, compiled once for each instruction set; `kernelsFor` chooses among them.
#pragma once
#include <cstdint>

#include "form.h"

// Normalization of rows [rows, c / groups]; row r belongs to group r % groups. Absent arrays are null.
struct RowsForward {
  Form form;
  const float *x, *residual, *gamma, *beta;
  float *sum, *y, *mean, *variance;
};

struct RowsBackward {
  Form form;
  const float *dy, *dsum, *x, *mean, *variance, *gamma;
  float* dx;
  bool affine;
};

// A part of a sample [s, c], read as rows of `wide` columns, a multiple of c; it begins with a row, and its last row may be shorter.
struct Kernels {
  // For the rows from `first` to `last`.
  void (*rowsForward)(const RowsForward&, int64_t first, int64_t last);
  // Adds to dgamma and dbeta [c], if they are wanted; `partial` is room for 2 c float32.
  void (*rowsBackward)(const RowsBackward&, int64_t first, int64_t last, double* dgamma, double* dbeta, float* partial);

  // Mean and M2, the sum of squared deviations, of each column.
  void (*columnMoments)(const float* x, int64_t size, int64_t wide, double* mean, double* m2);
  // y = (x - pivot) * scale + shift
  void (*columnAffine)(const float* x, int64_t size, int64_t wide, const float* pivot, const float* scale, const float* shift,
                       float* y);
  // Adds up dy, dy (x - mean) and x - mean of each column.
  void (*columnGradSums)(const float* dy, const float* x, int64_t size, int64_t wide, const float* mean, double* sumDy,
                         double* sumDyd, double* sumd);
  // dx = dy * w + (x - mean) * a + b, and dsum added to it if there is one
  void (*columnGradAffine)(const float* dy, const float* dsum, const float* x, int64_t size, int64_t wide, const float* mean,
                           const float* w, const float* a, const float* b, float* dx);

  void (*add)(const float* a, const float* b, int64_t size, float* sum);
};

// The kernels of the widest instruction set of this processor that suits rows of `rowSize` values.
const Kernels& kernelsFor(int64_t rowSize);
// The name of the widest instruction set of this processor.
const char* instructionSet();
// Whether this processor has the baseline instruction set.
bool isSupported();
