// How the work on a tensor is divided into tasks. That depends on sizes alone, and sums of tasks are added in their order: so results are
// the same with any number of threads.
#pragma once
#include <cstdint>

namespace {

inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
inline int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }
inline int64_t ratioUp(int64_t a, int64_t b) { return (a + b - 1) / b; }

// The least values of a task, about, and the most tasks.
constexpr int64_t TASK = 32768;
constexpr int64_t MOST_TASKS = 64;

// `items` equal items, divided into runs of consecutive ones.
struct Runs {
  int64_t items, length, count;

  // Runs of `length` items.
  Runs(int64_t items, int64_t length) : items(items), length(most(length, 1)), count(ratioUp(items, most(length, 1))) {}
  // Runs that are large enough for a task each, of at least `leastLength` items.
  Runs(int64_t items, int64_t itemSize, int64_t leastLength) : items(items) {
    length = most(most(ratioUp(TASK, most(itemSize, 1)), leastLength), ratioUp(items, MOST_TASKS));
    count = ratioUp(items, length);
  }
  int64_t first(int64_t run) const { return run * length; }
  int64_t last(int64_t run) const { return least(items, (run + 1) * length); }
};

// The number of columns as which a sample [s, c] is read: a multiple of c that fills registers, but at most s * c.
inline int64_t wideOf(int64_t s, int64_t c) {
  constexpr int64_t REGISTER = 16, ENOUGH = 64, WIDE = 256;
  if (c >= WIDE) return c;
  int64_t copies = 1;
  while (copies * c % REGISTER != 0) copies *= 2;
  while (copies * c < ENOUGH) copies *= 2;
  return least(copies, s) * c;
}

}  // namespace
