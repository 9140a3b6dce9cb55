#include "core/interrupt.h"

#include "core/error.h"

#include <csignal>
#include <unistd.h>

namespace compress {

namespace {

constexpr int kInterruptedStatus = 130;
volatile std::sig_atomic_t interrupt_flag = 0, interrupt_seen = 0;

void on_interrupt(int) {
  if (interrupt_seen) _exit(kInterruptedStatus);
  interrupt_flag = 1;
  interrupt_seen = 1;
  constexpr char text[] = "\nstopping at the next safe place; a second Ctrl-C (or SIGTERM) stops at once\n";
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text, sizeof text - 1);
}

}  // namespace

void install_interrupt_handler() {
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool interrupted() {
  return interrupt_flag != 0;
}

void forget_interrupt() {
  interrupt_flag = 0;
}

void throw_if_interrupted(const char* what) {
  if (interrupted()) throw Error(Fault::interrupted, fmt::format("interrupted: {} was stopped", what));
}

}  // namespace compress
