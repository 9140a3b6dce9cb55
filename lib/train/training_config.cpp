#include "train/nested_settings.h"
#include "train/trainer.h"

namespace compress::train {

void TrainingConfig::declare(Settings& s) {
  s.optional("epochs", epochs, "epochs; absent: until the last policy has ended", at_least(0));
  s.optional("seed", seed, "every random draw follows from it", at_least(0));
  s.optional("device", device, "cpu, cuda or cuda:N");
  s.optional("threads", threads, "threads on the CPU; 0: one per core", in(0, 4096));
  s.choice("precision", precision,
           {{"float32", Precision::float32}, {"bfloat16", Precision::bfloat16}, {"float16", Precision::float16}},
           "of convolutions and matrix products in training; evaluation is always float32, and float16 needs CUDA");
  s.optional("optimizer", optimizer, "{class: SGD, lr: 0.1, ...}; absent: SGD with its defaults");
  s.optional("task", task, "{class: classification}; absent: the data set's");
  s.optional("accumulate", accumulate, "batches of the data that make one step of the optimiser", in(1, 1e6));
  s.optional("clip_norm", clip_norm, "scale the gradients down when their L2 norm, all together, is larger", above(0));
  s.optional("clip_value", clip_value, "limit each number of the gradients to this and its negative", above(0));
  s.custom(nested_settings("ema", ema, "{decay, warmup, apply}: keep exponential moving averages of the weights"));
  s.custom(freeze.field());
  s.optional("freeze_statistics", freeze_statistics,
             "a batch-norm whose scale and offset are frozen keeps its statistics, too");
  s.optional("num_best_scores", num_best_scores, "how many of the best epochs are reported", in(1, 1000));
}

void TrainingConfig::check() const {
  if (clip_norm && clip_value)
    throw request_error("'clip_norm' and 'clip_value' exclude each other").hint("keep one of them");
}

}  // namespace compress::train
