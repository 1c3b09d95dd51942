// A pool of threads. They are started when first needed, sleep without work, and are not waited for when the process ends.
#pragma once
#include <cstdint>

// The most threads that work on a call, the caller among them: the number of processors of this process, or the smaller value of
// OMP_NUM_THREADS or TF_NUM_INTRAOP_THREADS.
int threadCount();

// Calls task(context, i) for each i below count, on several threads, and returns when all are done. If the pool is busy with another call,
// the caller does all tasks alone.
void inParallel(int64_t count, void (*task)(void* context, int64_t i), void* context);

// The same for a function object.
template <class Task>
void inParallel(int64_t count, const Task& task) {
  inParallel(
      count, [](void* context, int64_t i) { (*static_cast<const Task*>(context))(i); },
      const_cast<void*>(static_cast<const void*>(&task)));
}
