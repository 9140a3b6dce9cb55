#include "train/trainer.h"

namespace compress::train {

void TrainingConfig::declare(Settings& s) {
  s.optional("epochs", epochs, "epochs; absent: until the last policy has ended", at_least(0));
  s.optional("seed", seed, "every random draw follows from it", at_least(0));
  s.optional("device", device, "cpu, cuda or cuda:N");
  s.optional("threads", threads, "threads on the CPU; 0: one per core", in(0, 4096));
  s.optional("optimizer", optimizer, "{class: SGD, lr: 0.1, ...}; absent: SGD with its defaults");
  s.optional("task", task, "{class: classification}; absent: the data set's");
}

}  // namespace compress::train
