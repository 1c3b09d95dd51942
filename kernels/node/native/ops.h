// The ops that TensorFlow gets.
#pragma once

// What the names of the ops begin with: of each build another, so that several builds can be in one process.
extern const char* const OP_PREFIX;

// Registers the ops that are not there yet; why that cannot be, or null. Once for the process, however often this library is loaded and
// from however many places: TensorFlow ends the process where an op of a name is registered again.
const char* registerOps();
