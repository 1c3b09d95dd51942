// TensorFlow's C interface, as far as it is used: its functions are looked up in the libtensorflow that the process has loaded, so
// that nothing is linked with one. They are declared here as TensorFlow 2.9 to 2.15 have them, in c/kernels.h, c/ops.h, c/tf_tensor.h.
#pragma once
#include <cstddef>
#include <cstdint>

namespace tensorflow {

struct Status;
struct Tensor;
struct Context;
struct KernelBuilder;
struct OpBuilder;
struct Buffer {
  const void* data;
  size_t length;
};

enum Code { OK = 0, INVALID_ARGUMENT = 3, RESOURCE_EXHAUSTED = 8 };
enum DataType { FLOAT = 1 };

// F(result, name without TF_, arguments)
#define TENSORFLOW_FUNCTIONS(F)                                                                           \
  F(const char*, Version, ())                                                                            \
  F(Status*, NewStatus, ())                                                                               \
  F(void, DeleteStatus, (Status*))                                                                        \
  F(void, SetStatus, (Status*, Code, const char*))                                                        \
  F(Code, GetCode, (const Status*))                                                                       \
  F(Buffer*, GetRegisteredKernelsForOp, (const char*, Status*))                                           \
  F(void, DeleteBuffer, (Buffer*))                                                                        \
  F(OpBuilder*, NewOpDefinitionBuilder, (const char*))                                                    \
  F(void, OpDefinitionBuilderAddInput, (OpBuilder*, const char*))                                         \
  F(void, OpDefinitionBuilderAddOutput, (OpBuilder*, const char*))                                        \
  F(void, RegisterOpDefinition, (OpBuilder*, Status*))                                                    \
  F(KernelBuilder*, NewKernelBuilder,                                                                     \
    (const char* op, const char* device, void* (*make)(void*), void (*compute)(void*, Context*), void (*unmake)(void*))) \
  F(void, RegisterKernelBuilder, (const char*, KernelBuilder*, Status*))                                  \
  F(void, GetInput, (Context*, int, Tensor**, Status*))                                                   \
  F(Tensor*, AllocateOutput, (Context*, int, DataType, const int64_t*, int, size_t, Status*))             \
  F(void, OpKernelContext_Failure, (Context*, Status*))                                                   \
  F(void*, TensorData, (const Tensor*))                                                                   \
  F(size_t, TensorByteSize, (const Tensor*))                                                              \
  F(int, NumDims, (const Tensor*))                                                                        \
  F(int64_t, Dim, (const Tensor*, int))                                                                   \
  F(void, DeleteTensor, (Tensor*))

#define DECLARE(Result, name, arguments) extern Result(*name) arguments;
TENSORFLOW_FUNCTIONS(DECLARE)
#undef DECLARE

// Finds all of them; what is missing, or null.
const char* lookUp();

}  // namespace tensorflow
