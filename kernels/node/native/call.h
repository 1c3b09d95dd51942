// One execution of an op: its form, its inputs, which are checked against the form, and its outputs. After an error all arrays are null,
// and nothing may be computed.
#pragma once
#include "form.h"
#include "tensorflow.h"

class Call {
 public:
  explicit Call(tensorflow::Context* context);
  ~Call();
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  const Form& form() const { return form_; }
  bool isGood() const { return good_; }
  // Whether gamma and beta are [conditions, c], not [c].
  bool isConditional() const { return conditional_; }
  // Of `Average`: the share of the old value, and the row of the moments.
  double momentum() const { return momentum_; }
  int64_t row() const { return row_; }
  // The number of values of an input for which `input` was called.
  int64_t sizeOf(int input) const;

  // The values of an input, of which there must be at least `count`; null if the form says that it is absent.
  const float* input(int i, int64_t count);
  // A new output of the shape of an input.
  float* outputLike(int i, int input);
  float* output(int i, int64_t count);
  float* output(int i, int64_t rows, int64_t columns);

  void fail(tensorflow::Code code, const char* why);

 private:
  static constexpr int MOST = 7;  // inputs, or outputs
  tensorflow::Tensor* tensor(int input);
  float* allocate(int i, const int64_t* shape, int rank);
  void readForm();

  tensorflow::Context* const context_;
  tensorflow::Status* const status_;
  tensorflow::Tensor* inputs_[MOST] = {};
  tensorflow::Tensor* outputs_[MOST] = {};
  Form form_ = {};
  double momentum_ = 0;
  int64_t row_ = 0;
  int64_t present_ = 0;
  bool conditional_ = false;
  bool good_ = true;
};
