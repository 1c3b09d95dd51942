// A few threads that share out tasks. They are made when they are first needed, sleep when there is nothing to do, and are never
// waited for when the process ends.
#pragma once
#include <cstdint>

// How many threads work at most, the caller among them: the processors of this process, or fewer if OMP_NUM_THREADS or
// TF_NUM_INTRAOP_THREADS says so.
int threadCount();

// Calls task(context, i) for each i below count, on several threads, and returns when all are done. If another call is being served, this
// one does its tasks alone.
void inParallel(int64_t count, void (*task)(void* context, int64_t i), void* context);

// The same, of a function object.
template <class Task>
void inParallel(int64_t count, const Task& task) {
  inParallel(
      count, [](void* context, int64_t i) { (*static_cast<const Task*>(context))(i); },
      const_cast<void*>(static_cast<const void*>(&task)));
}
