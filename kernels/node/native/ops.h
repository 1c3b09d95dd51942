// The ops, and their registration with TensorFlow.
#pragma once

// The prefix of the names of the ops. It differs for each build, so that several builds can be in one process.
extern const char* const OP_PREFIX;

// Registers those ops that the process does not have yet, since TensorFlow ends the process if a name is registered twice, and this library
// may be loaded several times. Returns the reason of a failure, or null.
const char* registerOps();
