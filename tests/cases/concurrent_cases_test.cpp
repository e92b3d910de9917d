// The lowerings of every operator on several threads at once: the plugins of the installation say
// that they are concurrent. The tsan preset runs this.
#include <gtest/gtest.h>

#include <latch>
#include <string>
#include <thread>
#include <vector>

#include "tests/cases/case.hpp"

namespace onnx2fx::cases {
namespace {

constexpr size_t kThreads = 3;

// What is made once in the process, by ONNX without the thread sanitizer, is made alone.
TEST(ConcurrentCases, GiveWhatTheyGiveAlone) {
  const std::vector<Case>& all = all_cases();
  std::vector<std::string> alone;
  alone.reserve(all.size());
  for (const Case& c : all) alone.push_back(run(c).sections);
  std::latch ready(kThreads);
  std::vector<std::string> different(kThreads);
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (size_t i = 0; i < kThreads; i++)
    threads.emplace_back([&, i] {
      ready.arrive_and_wait();
      for (size_t k = 0; k < all.size(); k++) {  // two at the same cases, one elsewhere
        const size_t at = i == 0 ? all.size() - 1 - k : k;
        if (run(all[at]).sections != alone[at]) different[i] += all[at].name + "\n";
      }
    });
  for (std::thread& t : threads) t.join();
  for (const std::string& names : different) EXPECT_EQ(names, "");
}

}  // namespace
}  // namespace onnx2fx::cases
