// Compiled once for each instruction set, with TABLE the name of its kernels. Everything else here is in an unnamed namespace, and no
// function of a library is called: so no function compiled for one instruction set can be taken for that of another.
#include "columns.h"
#include "rows.h"

extern const Kernels TABLE;
const Kernels TABLE = {
    rowsForward, rowsBackward, columnMoments, columnAffine, columnGradSums, columnGradAffine, add,
};
