#include "tensorflow.h"

#include <dlfcn.h>

#include "old-glibc.h"

namespace tensorflow {

#define DEFINE(Result, name, arguments) Result(*name) arguments;
TENSORFLOW_FUNCTIONS(DEFINE)
#undef DEFINE

// Node loads libtensorflow with local symbols, which are found only by asking that library for them. In the Python package the C
// interface is in libtensorflow_cc.
static void* find(const char* symbol) {
  static const char* const libraries[] = {"libtensorflow.so.2", "libtensorflow_framework.so.2", "libtensorflow_cc.so.2"};
  for (const char* library : libraries) {
    void* const loaded = dlopen(library, RTLD_LAZY | RTLD_NOLOAD);
    void* const found = loaded ? dlsym(loaded, symbol) : nullptr;
    if (found) return found;
  }
  return nullptr;
}

const char* lookUp() {
#define LOOK_UP(Result, name, arguments)                                 \
  name = reinterpret_cast<Result(*) arguments>(find("TF_" #name));       \
  if (!name) return "TF_" #name;
  TENSORFLOW_FUNCTIONS(LOOK_UP)
#undef LOOK_UP
  return nullptr;
}

}  // namespace tensorflow
