#include "pool.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>

#include <atomic>
#include <initializer_list>

#include "old-glibc.h"

namespace {

constexpr int MOST_THREADS = 32;
// How often an idle thread looks for work before it sleeps: for some microseconds.
constexpr int LOOKS = 300;

// The tasks of one call, on the stack of the caller, who waits until no other thread works on them.
struct Job {
  void (*task)(void*, int64_t);
  void* context;
  int64_t count;
  std::atomic<int64_t> next;

  void work() {
    for (int64_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < count;) task(context, i);
  }
};

// Has no constructor or destructor to run: threads may still use it while the process ends.
struct Pool {
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t arrived = PTHREAD_COND_INITIALIZER;
  pthread_cond_t left = PTHREAD_COND_INITIALIZER;
  Job* job = nullptr;
  int inside = 0;
  std::atomic<int64_t> jobs{0};
  std::atomic<bool> busy{false};
  int threads = 0;
};
Pool pool;

inline void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

void* workForever(void*) {
  Pool& p = pool;
  int64_t seen = 0;
  for (;;) {
    for (int look = 0; look < LOOKS && p.jobs.load(std::memory_order_relaxed) == seen; ++look) pause();
    pthread_mutex_lock(&p.mutex);
    while (p.jobs.load(std::memory_order_relaxed) == seen) pthread_cond_wait(&p.arrived, &p.mutex);
    seen = p.jobs.load(std::memory_order_relaxed);
    Job* const job = p.job;
    if (job) ++p.inside;
    pthread_mutex_unlock(&p.mutex);
    if (!job) continue;
    job->work();
    pthread_mutex_lock(&p.mutex);
    if (--p.inside == 0) pthread_cond_signal(&p.left);
    pthread_mutex_unlock(&p.mutex);
  }
  return nullptr;
}

// Starts threads until there are as many as wanted, or the system gives no more. They block all signals, which other threads handle.
void start(Pool& p, int wanted) {
  if (p.threads >= wanted) return;
  sigset_t all, before;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &before);
  pthread_attr_t detached;
  pthread_attr_init(&detached);
  pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
  while (p.threads < wanted) {
    pthread_t thread;
    if (pthread_create(&thread, &detached, workForever, nullptr) != 0) break;
    ++p.threads;
  }
  p.threads = wanted;
  pthread_attr_destroy(&detached);
  sigprocmask(SIG_SETMASK, &before, nullptr);
}

// The positive number in a variable of the environment, else `otherwise`.
int numberIn(const char* name, int otherwise) {
  const char* text = getenv(name);
  int number = 0;
  for (; text && *text >= '0' && *text <= '9'; ++text) number = number > MOST_THREADS ? number : 10 * number + (*text - '0');
  return number > 0 ? number : otherwise;
}

int processors() {
  cpu_set_t mine;
  return sched_getaffinity(0, sizeof mine, &mine) == 0 ? CPU_COUNT(&mine) : 1;
}

int countThreads() {
  int count = processors();
  for (const char* name : {"OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"}) {
    const int limit = numberIn(name, count);
    if (limit < count) count = limit;
  }
  return count < MOST_THREADS ? count : MOST_THREADS;
}

}  // namespace

int threadCount() {
  static std::atomic<int> known{0};
  int count = known.load(std::memory_order_relaxed);
  if (count == 0) known.store(count = countThreads(), std::memory_order_relaxed);
  return count;
}

void inParallel(int64_t count, void (*task)(void*, int64_t), void* context) {
  Job job = {task, context, count, {0}};
  const int64_t helpers = (count < threadCount() ? count : threadCount()) - 1;
  Pool& p = pool;
  if (helpers < 1 || p.busy.exchange(true, std::memory_order_acquire)) {
    job.work();
    return;
  }
  start(p, threadCount() - 1);
  pthread_mutex_lock(&p.mutex);
  p.job = &job;
  p.jobs.fetch_add(1, std::memory_order_relaxed);
  pthread_cond_broadcast(&p.arrived);
  pthread_mutex_unlock(&p.mutex);
  job.work();
  pthread_mutex_lock(&p.mutex);
  p.job = nullptr;
  while (p.inside > 0) pthread_cond_wait(&p.left, &p.mutex);
  pthread_mutex_unlock(&p.mutex);
  p.busy.store(false, std::memory_order_release);
}
