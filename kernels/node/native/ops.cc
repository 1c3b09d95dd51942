#include "ops.h"

#include <cstdio>

#include "call.h"
#include "normalize.h"

using namespace tensorflow;

#define TEXT_(value) #value
#define TEXT(value) TEXT_(value)
// Given by the build: the version of the contract and a hash of sources, flags and compiler.
const char* const OP_PREFIX = "TfjsNormalizations" TEXT(BUILD);

namespace {

void finish(Call& call, bool enough) {
  if (!enough) call.fail(RESOURCE_EXHAUSTED, "there is no memory for the sums");
}

// Inputs: form, x, residual, gamma, beta. Outputs: y, with 2 outputs also statistics, with 3 also the sum.
template <int OUTPUTS>
void computeNormalize(void*, Context* context) {
  Call call(context);
  const Form& f = call.form();
  const int64_t parameters = f.conditions() * f.c;
  RowsForward all = {f, call.input(1, f.size()), call.input(2, f.size()), call.input(3, parameters), call.input(4, parameters), {}, {}, {}, {}};
  if (!all.x || (OUTPUTS == 3) != (all.residual != nullptr)) call.fail(INVALID_ARGUMENT, "x and residual do not suit the outputs");
  if (call.isGood() && call.sizeOf(1) != f.size()) call.fail(INVALID_ARGUMENT, "x has another size");
  all.y = call.outputLike(0, 1);
  if (OUTPUTS > 1) all.mean = call.output(1, 2, f.n * f.groups);
  if (OUTPUTS > 2) all.sum = call.outputLike(2, 1);
  if (!call.isGood()) return;
  if (all.mean) all.variance = all.mean + f.n * f.groups;
  finish(call, normalize(all));
}

// Inputs: form, dy, dsum, x, statistics, gamma. Outputs: dx, with 3 outputs also dgamma and dbeta.
template <int OUTPUTS>
void computeNormalizeGrad(void*, Context* context) {
  Call call(context);
  const Form& f = call.form();
  const int64_t groups = f.n * f.groups;
  RowsBackward all = {f, call.input(1, f.size()), call.input(2, f.size()), call.input(3, f.size()), call.input(4, 2 * groups), {},
                      call.input(5, f.conditions() * f.c), {}, OUTPUTS == 3};
  if (!all.dy || !all.x || !all.mean) call.fail(INVALID_ARGUMENT, "dy, x or statistics are missing");
  if (call.isGood() && call.sizeOf(3) != f.size()) call.fail(INVALID_ARGUMENT, "x has another size");
  all.dx = call.outputLike(0, 3);
  const auto ofParameters = [&](int i) { return call.isConditional() ? call.output(i, f.conditions(), f.c) : call.output(i, f.c); };
  float* const dgamma = OUTPUTS == 3 ? ofParameters(1) : nullptr;
  float* const dbeta = OUTPUTS == 3 ? ofParameters(2) : nullptr;
  if (!call.isGood()) return;
  all.variance = all.mean + call.sizeOf(4) / 2;  // row 1: statistics of another backend have more than `groups` columns
  finish(call, normalizeGrad(all, dgamma, dbeta));
}

// Inputs: form, x. Outputs: moments.
void computeMoments(void*, Context* context) {
  Call call(context);
  const Form& f = call.form();
  const int64_t groups = f.n * f.groups;
  RowsForward all = {f, call.input(1, f.size()), {}, {}, {}, {}, {}, call.output(0, 2, groups), {}};
  if (!all.x) call.fail(INVALID_ARGUMENT, "x is missing");
  if (!call.isGood()) return;
  all.variance = all.mean + groups;
  finish(call, normalize(all));
}

// Inputs: form, x, mean, variance, scale, shift. Outputs: y.
void computeScaleShift(void*, Context* context) {
  Call call(context);
  const Form& f = call.form();
  const int64_t nc = f.n * f.c;
  const float* const x = call.input(1, f.size());
  if (!x) call.fail(INVALID_ARGUMENT, "x is missing");
  const float *const mean = call.input(2, nc), *const variance = call.input(3, nc);
  const float *const scale = call.input(4, nc), *const shift = call.input(5, nc);
  if (call.isGood() && call.sizeOf(1) != f.size()) call.fail(INVALID_ARGUMENT, "x has another size");
  float* const y = call.outputLike(0, 1);
  if (call.isGood()) finish(call, scaleShift(f, x, mean, variance, scale, shift, y));
}

// Inputs: form, dy, x, mean. Outputs: dscale, dshift.
void computeScaleShiftGrad(void*, Context* context) {
  Call call(context);
  const Form& f = call.form();
  const float *const dy = call.input(1, f.size()), *const x = call.input(2, f.size()), *const mean = call.input(3, f.n * f.c);
  if (!dy || !x || !mean) call.fail(INVALID_ARGUMENT, "dy, x or mean are missing");
  float *const dscale = call.output(0, f.n, f.c), *const dshift = call.output(1, f.n, f.c);
  if (call.isGood()) finish(call, scaleShiftGrad(f, dy, x, mean, dscale, dshift));
}

// Inputs: form, dy, x, mean, scale, a, b. Outputs: dx.
void computeBlendGrad(void*, Context* context) {
  Call call(context);
  const Form& f = call.form();
  const int64_t nc = f.n * f.c;
  const float *const dy = call.input(1, f.size()), *const x = call.input(2, f.size()), *const mean = call.input(3, nc);
  const float *const scale = call.input(4, nc), *const a = call.input(5, nc), *const b = call.input(6, nc);
  if (!dy || !x || !mean || !scale || !a || !b) call.fail(INVALID_ARGUMENT, "an input is missing");
  if (call.isGood() && call.sizeOf(2) != f.size()) call.fail(INVALID_ARGUMENT, "x has another size");
  float* const dx = call.outputLike(0, 2);
  if (call.isGood()) finish(call, blendGrad(f, dy, x, mean, scale, a, b, dx));
}

// Inputs: form, old, moments. Outputs: momentum * old + (1 - momentum) * moments[row].
void computeAverage(void*, Context* context) {
  Call call(context);
  const int64_t count = call.form().c;
  const float *const old = call.input(1, count), *moments = call.input(2, 2 * count);
  if (!old || !moments) call.fail(INVALID_ARGUMENT, "old or moments are missing");
  if (call.isGood() && call.sizeOf(1) != count) call.fail(INVALID_ARGUMENT, "old has another size");
  float* const average = call.outputLike(0, 1);
  if (!call.isGood()) return;
  const double momentum = call.momentum();
  moments += call.row() * call.sizeOf(2) / 2;
  for (int64_t i = 0; i < count; ++i) average[i] = static_cast<float>(momentum * old[i] + (1 - momentum) * moments[i]);
}

struct Op {
  const char* name;
  int inputs, outputs;
  void (*compute)(void*, Context*);
};

const Op OPS[] = {
    {"Normalize1", 5, 1, computeNormalize<1>},
    {"Normalize2", 5, 2, computeNormalize<2>},
    {"Normalize3", 5, 3, computeNormalize<3>},
    {"NormalizeGrad1", 6, 1, computeNormalizeGrad<1>},
    {"NormalizeGrad3", 6, 3, computeNormalizeGrad<3>},
    {"Moments", 2, 1, computeMoments},
    {"ScaleShift", 6, 1, computeScaleShift},
    {"ScaleShiftGrad", 4, 2, computeScaleShiftGrad},
    {"BlendGrad", 7, 1, computeBlendGrad},
    {"Average", 3, 1, computeAverage},
};

// Whether an op of that name has a kernel.
bool isThere(const char* name, Status* status) {
  Buffer* const kernels = GetRegisteredKernelsForOp(name, status);
  if (!kernels) return false;
  const bool answer = kernels->length > 0;
  DeleteBuffer(kernels);
  return answer;
}

void registerOp(const Op& op, const char* name, Status* status) {
  OpBuilder* const definition = NewOpDefinitionBuilder(name);
  char text[32];
  for (int i = 0; i < op.inputs; ++i) {
    snprintf(text, sizeof text, "input%d: float", i);
    OpDefinitionBuilderAddInput(definition, text);
  }
  for (int i = 0; i < op.outputs; ++i) {
    snprintf(text, sizeof text, "output%d: float", i);
    OpDefinitionBuilderAddOutput(definition, text);
  }
  RegisterOpDefinition(definition, status);
  if (GetCode(status) != OK) return;
  RegisterKernelBuilder(name, NewKernelBuilder(name, "CPU", nullptr, op.compute, nullptr), status);
}

}  // namespace

const char* registerOps() {
  // Other copies of this library have variables of their own, and so would locks. The lock of libc's stdin, which Node does not use, is
  // shared by all of them.
  flockfile(stdin);
  Status* const status = NewStatus();
  const char* problem = nullptr;
  for (const Op& op : OPS) {
    char name[128];
    snprintf(name, sizeof name, "%s%s", OP_PREFIX, op.name);
    if (isThere(name, status)) continue;
    if (GetCode(status) == OK) registerOp(op, name, status);
    if (GetCode(status) != OK) {
      problem = "TensorFlow takes no ops";
      break;
    }
  }
  DeleteStatus(status);
  funlockfile(stdin);
  return problem;
}
