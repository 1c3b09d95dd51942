// The entry for Node. It registers the ops and exports their `prefix`, or the `problem` if that is not possible. The functions of
// Node-API are declared here, as every version has them, so that no headers are needed.
#include <cstddef>
#include <cstring>

#include "kernels.h"
#include "ops.h"
#include "pool.h"
#include "tensorflow.h"

typedef struct Environment* napi_env;
typedef struct Value* napi_value;
extern "C" {
int napi_create_string_utf8(napi_env, const char* text, size_t length, napi_value* result);
int napi_create_int32(napi_env, int, napi_value* result);
int napi_set_named_property(napi_env, napi_value object, const char* name, napi_value value);

__attribute__((visibility("default"))) int node_api_module_get_api_version_v1() { return 8; }
__attribute__((visibility("default"))) napi_value napi_register_module_v1(napi_env, napi_value exports);
}

// TensorFlow 2, from 2.9 on.
static bool isKnown(const char* version) {
  if (strncmp(version, "2.", 2) != 0) return false;
  const char *const minor = version + 2, *const end = strchr(minor, '.');
  return end && (end - minor > 1 || (end - minor == 1 && *minor == '9'));
}

static const char* problem() {
  if (!isSupported()) return "the processor has no SSE4.2";
  if (tensorflow::lookUp()) return "libtensorflow has not all functions that are needed";
  if (!isKnown(tensorflow::Version())) return "libtensorflow is older than 2.9, or newer than 2";
  return registerOps();
}

static void set(napi_env env, napi_value object, const char* name, const char* text) {
  napi_value value;
  if (napi_create_string_utf8(env, text, strlen(text), &value) == 0) napi_set_named_property(env, object, name, value);
}

napi_value napi_register_module_v1(napi_env env, napi_value exports) {
  const char* const why = problem();
  if (why) {
    set(env, exports, "problem", why);
    return exports;
  }
  set(env, exports, "prefix", OP_PREFIX);
  set(env, exports, "instructions", instructionSet());
  napi_value threads;
  if (napi_create_int32(env, threadCount(), &threads) == 0) napi_set_named_property(env, exports, "threads", threads);
  return exports;
}
