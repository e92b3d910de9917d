#include "core/plugin/breadcrumb.hpp"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <utility>

#include "core/include/onnx2fx/diagnostic.hpp"
#include "core/plugin/exit_report.hpp"
#include "core/plugin/time_limit.hpp"

namespace onnx2fx::plugin {
namespace {

thread_local const Breadcrumb* innermost_crumb = nullptr;
/// One of some thread, for an exit() on a thread that a plugin has started; null: none, or one was
/// at work beside another that has ended.
std::atomic<const Breadcrumb*> crumb_of_the_process = nullptr;

constexpr std::array kSignals = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};
std::array<struct sigaction, kSignals.size()> before;
std::mutex reports_mutex;
int reports = 0;
std::atomic<bool> exits_are_reported = false;

void put(std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(STDERR_FILENO, text.data(), text.size());
    if (n <= 0) return;
    text.remove_prefix(static_cast<size_t>(n));
  }
}

void on_crash(int signal, siginfo_t* info, void*) {
  if (const Breadcrumb* crumb = Breadcrumb::innermost()) {
    const char* name = sigdescr_np(signal);
    crumb->tell("crashed ", name ? name : "a signal");
  }
  for (size_t i = 0; i < kSignals.size(); i++)
    if (kSignals[i] == signal) sigaction(signal, &before[i], nullptr);
  // A fault comes again by itself when this returns; what somebody sent does not.
  if (info->si_code <= 0) raise(signal);
}

void on_exit_of_the_process(int code, void*) {
  const Breadcrumb* crumb = Breadcrumb::innermost();
  if (!crumb && gettid() != getpid()) crumb = crumb_of_the_process;
  if (!crumb) return;
  std::array<char, 32> text;
  std::string_view end = "exit code ";
  std::copy(end.begin(), end.end(), text.begin());
  const auto [stop, error] =
      std::to_chars(text.data() + end.size(), text.data() + text.size(), code);
  crumb->tell("ended the process ", {text.data(), static_cast<size_t>(stop - text.data())});
  std::fflush(nullptr);
  _exit(3);
}

}  // namespace

Breadcrumb::Breadcrumb(std::string_view library, std::string_view id, std::string_view version,
                       const std::string& doing)
    : library_(library.empty() ? id : library),
      id_(id),
      version_(version),
      doing_(printable(doing)),
      outer_(std::exchange(innermost_crumb, this)) {
  crumb_of_the_process = this;
  TimeLimit::enter(this);
}

Breadcrumb::~Breadcrumb() {
  innermost_crumb = outer_;
  const Breadcrumb* mine = this;
  crumb_of_the_process.compare_exchange_strong(mine, outer_);
  TimeLimit::enter(outer_);
}

const Breadcrumb* Breadcrumb::innermost() { return innermost_crumb; }

void Breadcrumb::tell(std::string_view before, std::string_view after) const {
  for (const std::string_view part :
       {std::string_view("error: "), library_, std::string_view(": "), before,
        std::string_view(doing_), std::string_view(": "), after, std::string_view("\n")})
    put(part);
  if (id_.empty()) return;
  for (const std::string_view part : {std::string_view("  note: this is a fault of plugin "), id_,
                                      std::string_view(" "), version_, std::string_view("\n")})
    put(part);
}

CrashReports::CrashReports() {
  const std::lock_guard lock(reports_mutex);
  if (reports++ > 0) return;
  // A stack of its own: the plugin may have run out of the other one.
  static std::array<char, 1 << 16> stack;
  stack_t other{};
  if (sigaltstack(nullptr, &other) == 0 && (other.ss_flags & SS_DISABLE)) {
    other = {stack.data(), 0, stack.size()};
    sigaltstack(&other, nullptr);
  }
  struct sigaction action {};
  action.sa_sigaction = on_crash;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  for (size_t i = 0; i < kSignals.size(); i++) sigaction(kSignals[i], &action, &before[i]);
}

CrashReports::~CrashReports() {
  const std::lock_guard lock(reports_mutex);
  if (--reports > 0) return;
  for (size_t i = 0; i < kSignals.size(); i++) sigaction(kSignals[i], &before[i], nullptr);
}

void report_exits() {
  if (!exits_are_reported.exchange(true)) on_exit(on_exit_of_the_process, nullptr);
}

void renew_exit_report() {
  if (exits_are_reported) on_exit(on_exit_of_the_process, nullptr);
}

}  // namespace onnx2fx::plugin
