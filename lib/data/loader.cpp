#include "data/loader.h"

#include "core/random.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <map>
#include <mutex>
#include <numeric>
#include <thread>

namespace compress::data {

/// Threads make whole batches ahead, each the next one that nobody has begun; a batch is a function of its number, so
/// their count changes nothing. Their work is plain loops, so no second pool of LibTorch's threads comes up.
struct Loader::Impl {
  DatasetPtr dataset;
  int64_t batch_size, batches;
  Draw draw;
  int64_t prefetch;
  std::vector<int64_t> order;

  struct Made {
    Batch batch;
    std::exception_ptr failure = {};
  };
  std::mutex mutex;
  std::condition_variable changed;
  std::map<int64_t, Made> ready;
  int64_t begun = 0, taken = 0;  ///< batches
  bool stop = false;
  std::vector<std::thread> threads;

  ~Impl() {
    {
      const std::lock_guard lock(mutex);
      stop = true;
    }
    changed.notify_all();
    for (auto& thread : threads) thread.join();
  }

  Batch make(int64_t number) const {
    const auto start = static_cast<size_t>(number * batch_size);
    return dataset->batch(
        std::span(order).subspan(start, std::min(static_cast<size_t>(batch_size), order.size() - start)), draw);
  }

  Made try_make(int64_t number) const {
    try {
      return {make(number)};
    } catch (...) {
      return {.failure = std::current_exception()};
    }
  }

  void run() {
    std::unique_lock lock(mutex);
    while (true) {
      changed.wait(lock, [&] { return stop || begun == batches || begun < taken + prefetch; });
      if (stop || begun == batches) return;
      const int64_t number = begun++;
      lock.unlock();
      auto made = try_make(number);
      lock.lock();
      if (made.failure) begun = batches;  // what comes after it is not wanted
      ready.emplace(number, std::move(made));
      changed.notify_all();
    }
  }

  bool take(Batch& batch) {
    std::unique_lock lock(mutex);
    if (taken == batches) return false;
    changed.wait(lock, [&] { return ready.contains(taken); });
    auto made = std::move(ready.extract(taken).mapped());
    if (made.failure) {
      taken = batches;
      std::rethrow_exception(made.failure);
    }
    ++taken;
    changed.notify_all();
    batch = std::move(made.batch);
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
  impl_->batches = batches_;
  impl_->draw = draw;
  impl_->prefetch = prefetch;
  const int64_t threads = std::min<int64_t>({prefetch, std::max(1U, std::thread::hardware_concurrency()), batches_});
  for (int64_t i = 0; i < threads; ++i) impl_->threads.emplace_back([impl = impl_.get()] { impl->run(); });
}

Loader::~Loader() = default;

bool Loader::next(Batch& batch) {
  if (impl_->prefetch > 0) return impl_->take(batch);
  if (impl_->taken == batches_) return false;
  batch = impl_->make(impl_->taken++);
  return true;
}

}  // namespace compress::data
