// Memory for the time of one operation.
#pragma once
#include <cstdint>
#include <cstdlib>

class Room {
 public:
  // One more than needed: malloc(0) may return null.
  explicit Room(int64_t doubles) : memory_(static_cast<double*>(malloc(static_cast<size_t>(doubles + 1) * sizeof(double)))) {}
  ~Room() { free(memory_); }
  Room(const Room&) = delete;
  Room& operator=(const Room&) = delete;

  explicit operator bool() const { return memory_ != nullptr; }
  double* at(int64_t doubles) const { return memory_ + doubles; }

 private:
  double* const memory_;
};

// Several float arrays of one length, each padded to whole doubles.
class Floats {
 public:
  Floats(double* memory, int64_t length) : memory_(reinterpret_cast<float*>(memory)), length_(padded(length)) {}
  float* operator[](int64_t i) const { return memory_ + i * length_; }
  static int64_t padded(int64_t length) { return (length + 1) / 2 * 2; }
  // The doubles that `count` arrays take.
  static int64_t sizeOf(int64_t count, int64_t length) { return count * padded(length) / 2; }

 private:
  float* const memory_;
  const int64_t length_;
};
