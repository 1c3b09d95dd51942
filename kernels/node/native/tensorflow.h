// The functions of TensorFlow's C interface that are used. They are looked up in the libtensorflow that the process has loaded, instead of
// linking with one, and declared here as in c/kernels.h, c/ops.h and c/tf_tensor.h of TensorFlow 2.9 to 2.15.
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

// Looks up all functions; returns the name of a missing one, or null.
const char* lookUp();

}  // namespace tensorflow
