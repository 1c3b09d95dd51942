// The operations on whole tensors: they share out the work to threads, and do the arithmetic between the passes. Nothing here knows
// TensorFlow. Absent arrays are null. Each function returns false if there was not enough memory.
#pragma once
#include "kernels.h"

bool normalize(const RowsForward& all);
bool normalizeGrad(const RowsBackward& all, float* dgamma, float* dbeta);
bool scaleShift(const Form& form, const float* x, const float* mean, const float* variance, const float* scale,
                const float* shift, float* y);
bool scaleShiftGrad(const Form& form, const float* dy, const float* x, const float* mean, float* dscale, float* dshift);
bool blendGrad(const Form& form, const float* dy, const float* x, const float* mean, const float* scale, const float* a,
               const float* b, float* dx);
