#include "data/loader.h"

#include "core/random.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <numeric>
#include <thread>

namespace compress::data {

/// Batches wait in a queue that the thread keeps filled. Its work is plain loops, so no second pool of LibTorch's
/// threads comes up.
struct Loader::Impl {
  DatasetPtr dataset;
  int64_t batch_size;
  Draw draw;
  size_t prefetch;
  std::vector<int64_t> order;
  size_t position = 0;  ///< of the next sample to read; the thread's alone when there is one

  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Batch> ready;
  std::exception_ptr failure;
  bool done = false, stop = false;
  std::thread thread;

  ~Impl() {
    {
      const std::lock_guard lock(mutex);
      stop = true;
    }
    changed.notify_all();
    if (thread.joinable()) thread.join();
  }

  bool read(Batch& batch) {
    const size_t count = std::min(static_cast<size_t>(batch_size), order.size() - position);
    if (count == 0) return false;
    batch = dataset->batch(std::span(order).subspan(position, count), draw);
    position += count;
    return true;
  }

  void run() {
    try {
      for (Batch batch; read(batch); batch = {}) {
        std::unique_lock lock(mutex);
        changed.wait(lock, [&] { return stop || ready.size() < prefetch; });
        if (stop) return;
        ready.push_back(std::move(batch));
        changed.notify_all();
      }
    } catch (...) {
      failure = std::current_exception();
    }
    const std::lock_guard lock(mutex);
    done = true;
    changed.notify_all();
  }

  bool take(Batch& batch) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return done || !ready.empty(); });
    if (ready.empty()) {
      if (failure) std::rethrow_exception(failure);
      return false;
    }
    batch = std::move(ready.front());
    ready.pop_front();
    changed.notify_all();
    return true;
  }
};

Loader::Loader(DatasetPtr dataset, int64_t batch_size, Order order, Draw draw, int64_t prefetch)
    : impl_(std::make_unique<Impl>()), batches_((dataset->size() + batch_size - 1) / batch_size) {
  const int64_t size = dataset->size();
  if (order == Order::shuffled) {
    impl_->order = permutation(size, Random(draw.seed, "shuffle", {static_cast<uint64_t>(draw.epoch)}));
  } else {
    impl_->order.resize(static_cast<size_t>(size));
    std::iota(impl_->order.begin(), impl_->order.end(), int64_t{0});
  }
  impl_->dataset = std::move(dataset);
  impl_->batch_size = batch_size;
  impl_->draw = draw;
  impl_->prefetch = static_cast<size_t>(prefetch);
  if (prefetch > 0) impl_->thread = std::thread([impl = impl_.get()] { impl->run(); });
}

Loader::~Loader() = default;

bool Loader::next(Batch& batch) {
  return impl_->prefetch > 0 ? impl_->take(batch) : impl_->read(batch);
}

}  // namespace compress::data
