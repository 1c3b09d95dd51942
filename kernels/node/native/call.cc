#include "call.h"

#include <cstring>

using namespace tensorflow;

namespace {

// The first input of every op: float64 numbers, stored in a tensor of float32.
struct Header {
  double n, s, c, groups, epsilon, placement, center, present, momentum, row, rowsPerCondition;
};

// A size, or 0 if the number is not a valid one.
int64_t sizeIn(double value) { return value >= 1 && value <= 9007199254740992.0 ? static_cast<int64_t>(value) : 0; }

}  // namespace

Call::Call(Context* context) : context_(context), status_(NewStatus()) { readForm(); }

Call::~Call() {
  for (Tensor* tensor : inputs_) {
    if (tensor) DeleteTensor(tensor);
  }
  for (Tensor* tensor : outputs_) {
    if (tensor) DeleteTensor(tensor);
  }
  DeleteStatus(status_);
}

void Call::fail(Code code, const char* why) {
  if (!good_) return;
  good_ = false;
  SetStatus(status_, code, why);
  OpKernelContext_Failure(context_, status_);
}

Tensor* Call::tensor(int input) {
  if (!inputs_[input] && good_) {
    GetInput(context_, input, &inputs_[input], status_);
    if (GetCode(status_) != OK) fail(GetCode(status_), "an input is not available");
  }
  return good_ ? inputs_[input] : nullptr;
}

void Call::readForm() {
  const Tensor* const given = tensor(0);
  if (!given) return;
  Header header;
  if (TensorByteSize(given) != sizeof header) return fail(INVALID_ARGUMENT, "the form has another size");
  memcpy(&header, TensorData(given), sizeof header);
  form_.n = sizeIn(header.n);
  form_.s = sizeIn(header.s);
  form_.c = sizeIn(header.c);
  form_.groups = sizeIn(header.groups);
  form_.epsilon = header.epsilon;
  form_.center = header.center != 0;
  momentum_ = header.momentum;
  row_ = header.row == 1;
  present_ = sizeIn(header.present);
  const bool known = header.placement >= INSIDE && header.placement <= NO_DIVISION;
  form_.placement = known ? static_cast<Placement>(static_cast<int>(header.placement)) : NO_DIVISION;
  int64_t size;
  const bool fits = form_.n && form_.s && form_.c && form_.groups && form_.c % form_.groups == 0 &&
                    !__builtin_mul_overflow(form_.n, form_.s, &size) && !__builtin_mul_overflow(size, form_.c, &size) &&
                    size < (INT64_C(1) << 56);
  conditional_ = header.rowsPerCondition != 0;
  const int64_t rows = fits ? form_.n * form_.s : 1, shared = conditional_ ? sizeIn(header.rowsPerCondition) : rows;
  const bool divides = shared && rows % shared == 0 && (!fits || shared % form_.s == 0 || form_.s % shared == 0);
  form_.rowsPerCondition = divides ? shared : 1;
  if (!fits || !known || !divides) fail(INVALID_ARGUMENT, "there is no such form");
}

int64_t Call::sizeOf(int input) const {
  const Tensor* const given = inputs_[input];
  return given ? static_cast<int64_t>(TensorByteSize(given) / sizeof(float)) : 0;
}

const float* Call::input(int i, int64_t count) {
  if (!(present_ >> i & 1)) return nullptr;
  const Tensor* const given = tensor(i);
  if (!given) return nullptr;
  if (sizeOf(i) < count) {
    fail(INVALID_ARGUMENT, "an input has too few values");
    return nullptr;
  }
  return static_cast<const float*>(TensorData(given));
}

float* Call::allocate(int i, const int64_t* shape, int rank) {
  if (!good_) return nullptr;
  int64_t size = sizeof(float);
  for (int axis = 0; axis < rank; ++axis) size *= shape[axis];
  outputs_[i] = AllocateOutput(context_, i, FLOAT, shape, rank, static_cast<size_t>(size), status_);
  if (GetCode(status_) == OK && outputs_[i]) return static_cast<float*>(TensorData(outputs_[i]));
  fail(RESOURCE_EXHAUSTED, "there is no memory for an output");
  return nullptr;
}

float* Call::outputLike(int i, int input) {
  constexpr int MOST_AXES = 32;
  int64_t shape[MOST_AXES];
  const Tensor* const like = tensor(input);
  if (!like) return nullptr;
  const int rank = NumDims(like);
  if (rank > MOST_AXES) {
    fail(INVALID_ARGUMENT, "an input has too many axes");
    return nullptr;
  }
  for (int axis = 0; axis < rank; ++axis) shape[axis] = Dim(like, axis);
  return allocate(i, shape, rank);
}

float* Call::output(int i, int64_t count) { return allocate(i, &count, 1); }

float* Call::output(int i, int64_t rows, int64_t columns) {
  const int64_t shape[] = {rows, columns};
  return allocate(i, shape, 2);
}
