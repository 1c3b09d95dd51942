// Compiled once for each instruction set, with TABLE as the name of its table of kernels. Everything else is in an unnamed namespace, and
// no library function is called, so that the linker cannot mix up functions of different instruction sets.
#include "columns.h"
#include "rows.h"

extern const Kernels TABLE;
const Kernels TABLE = {
    rowsForward, rowsBackward, columnMoments, columnAffine, columnGradSums, columnGradAffine, add,
};
